import { expect, test } from 'vitest'
import * as z from 'zod/mini'
import { SYNC_BUDGET_END_BYTES, SYNC_BUDGET_MAX_BYTES, type DeviceId } from '../../mesh/base/index.ts'
import { documentKey } from '../../mesh/sync/index.ts'
import { decode } from '../../mesh/wire/index.ts'
import { backdatedChain } from '../kit/removed-writer.ts'
import { createSyncWorld, ROOM, type SyncPeer } from '../kit/sync-world.ts'

// What comes late of a removed device makes an honest one tell that it is there. A member brings a great many
// chains of its own removed device, and somebody else tells of them.

const saved = z.array(z.tuple([z.string(), z.number(), z.number()]))

test('what a member brings of a removed device uses up nobody else’s budget', async () => {
  const world = await createSyncWorld('telling costs', 4)
  try {
    const [alice, bob, mallory, ghost] = world.peers as [SyncPeer, SyncPeer, SyncPeer, SyncPeer]
    const idOf = (peer: SyncPeer): DeviceId => peer.ports.signer.id
    const people = new Map([alice, bob, mallory].map((peer, index) => [idOf(peer), ['alice', 'bob', 'mallory'][index]]))
    for (const { ports } of world.peers)
      Object.assign(ports.writers, { personOf: (one: DeviceId) => people.get(one) ?? 'mallory' })
    const epoch = await ghost.ports.keyring.current(ROOM.scope, {})
    world.scopes.revoke(idOf(ghost), ROOM.scope)
    await world.scopes.rotate(ROOM.scope)
    world.network.partition(...world.peers.map((peer) => [idOf(peer)]))
    const CHAINS = 200
    const given = { ports: ghost.ports, document: ROOM, epoch, at: world.clock.now() }
    const chains = await Promise.all(Array.from({ length: CHAINS }, () => backdatedChain([{}], given)))
    const replica = await alice.documents.adopt(ROOM, {})
    await replica.receive(
      chains.flatMap(({ envelopes }) => envelopes),
      idOf(mallory),
      {},
    )
    alice.documents.release(replica)
    await world.clock.advanceAsync(30_000)
    world.network.partition([idOf(alice), idOf(bob)])
    for (let step = 0; step < 3; step++) {
      await world.calm()
      await world.clock.advanceAsync(30_000)
    }
    // with the one in which Alice tells of them
    expect((await bob.documents.replica(documentKey(ROOM), {}))?.vector().size).toBe(CHAINS + 1)
    const record = bob.store.data.records.get('sync/budgets') ?? new Uint8Array()
    const left = new Map(decode(record, saved, { maxBytes: 1e6, what: 'Budgets' }).map(([who, level]) => [who, level]))
    expect(SYNC_BUDGET_MAX_BYTES - (left.get('alice') ?? 0)).toBeLessThan((CHAINS * SYNC_BUDGET_END_BYTES) / 4)
  } finally {
    await world.stop()
  }
})
