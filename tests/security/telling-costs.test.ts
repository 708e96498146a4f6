import { expect, test } from 'vitest'
import * as z from 'zod/mini'
import {
  SYNC_BUDGET_BYTES_PER_DAY,
  SYNC_BUDGET_END_BYTES,
  SYNC_BUDGET_MAX_BYTES,
  type DeviceId,
} from '../../mesh/base/index.ts'
import { documentKey, type EpochKey } from '../../mesh/sync/index.ts'
import { decode } from '../../mesh/wire/index.ts'
import { backdatedChain, type BackdatedStep } from '../kit/removed-writer.ts'
import { createSyncWorld, ROOM, type SyncPeer, type SyncWorld } from '../kit/sync-world.ts'

// What comes late of a removed device makes an honest one tell that it is there. A member brings a great many
// chains of its own removed device, and somebody else tells of them.

const saved = z.array(z.tuple([z.string(), z.number(), z.number()]))

const CHAINS = 200

interface Scene {
  readonly world: SyncWorld
  readonly alice: SyncPeer
  readonly bob: SyncPeer
  readonly mallory: SyncPeer
  /** A device of Mallory, removed. */
  readonly ghost: SyncPeer
  readonly epoch: EpochKey
}

const idOf = (peer: SyncPeer): DeviceId => peer.ports.signer.id

/** Each device is alone at first. */
async function sceneOf(seed: string): Promise<Scene> {
  const world = await createSyncWorld(seed, 4)
  const [alice, bob, mallory, ghost] = world.peers as [SyncPeer, SyncPeer, SyncPeer, SyncPeer]
  const people = new Map([alice, bob, mallory].map((peer, index) => [idOf(peer), ['alice', 'bob', 'mallory'][index]]))
  for (const { ports } of world.peers)
    Object.assign(ports.writers, { personOf: (one: DeviceId) => people.get(one) ?? 'mallory' })
  const epoch = await ghost.ports.keyring.current(ROOM.scope, {})
  world.scopes.revoke(idOf(ghost), ROOM.scope)
  await world.scopes.rotate(ROOM.scope)
  world.network.partition(...world.peers.map((peer) => [idOf(peer)]))
  return { world, alice, bob, mallory, ghost, epoch }
}

function chainsOf({ world, epoch }: Scene, { ports }: SyncPeer, steps: readonly BackdatedStep[], count = 1) {
  const given = { ports, document: ROOM, epoch, at: world.clock.now() }
  return Promise.all(Array.from({ length: count }, () => backdatedChain(steps, given)))
}

/** What of a person's budget for their own is used up at a device, as it wrote that down last. */
function usedAt({ store }: SyncPeer, person: string): number {
  const record = store.data.records.get('sync/budgets') ?? new Uint8Array()
  const left = new Map(decode(record, saved, { maxBytes: 1e6, what: 'Budgets' }).map(([who, level]) => [who, level]))
  return SYNC_BUDGET_MAX_BYTES - (left.get(person) ?? 0)
}

test('what a member brings of a removed device uses up nobody else’s budget', async () => {
  const scene = await sceneOf('telling costs')
  const { world, alice, bob, mallory, ghost } = scene
  try {
    const chains = await chainsOf(scene, ghost, [{}], CHAINS)
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
    expect(usedAt(bob, 'alice')).toBeLessThan((CHAINS * SYNC_BUDGET_END_BYTES) / 4)
  } finally {
    await world.stop()
  }
})

test.each(['who told it', 'another'])(
  'what an end cost is given back to who paid for it: it came by %s',
  async (by) => {
    const scene = await sceneOf(`given back ${by}`)
    const { world, alice, bob, mallory, ghost } = scene
    try {
      const replica = await alice.documents.adopt(ROOM, {})
      const [used] = await chainsOf(scene, bob, [{ bytes: new Uint8Array(400_000) }])
      await replica.receive(used?.envelopes ?? [], idOf(bob), {})
      const chains = await chainsOf(scene, ghost, [{}], CHAINS)
      const ends = chains.map(({ chain }) => ({ chain, sequence: 1 }))
      const [telling] = await chainsOf(scene, bob, [{ ends }])
      await world.clock.advanceAsync(30_000)
      const before = usedAt(alice, 'bob')
      expect(before).toBeGreaterThan(300_000)
      const told = await replica.receive(telling?.envelopes ?? [], by === 'another' ? idOf(mallory) : idOf(bob), {})
      expect(told.stored).toHaveLength(1)
      const come = await replica.receive(
        chains.flatMap(({ envelopes }) => envelopes),
        idOf(mallory),
        {},
      )
      expect(come).toMatchObject({ late: 0, refused: 0 })
      expect(come.stored).toHaveLength(CHAINS)
      await world.clock.advanceAsync(30_000)
      const refilled = (SYNC_BUDGET_BYTES_PER_DAY / (24 * 60 * 60_000)) * 30_000
      const paid = usedAt(alice, 'bob') - before
      // the one in which he tells of them, where he brings it
      expect(paid).toBeLessThan((CHAINS * SYNC_BUDGET_END_BYTES) / 4)
      expect(paid).toBeGreaterThan(-refilled - 1)
    } finally {
      await world.stop()
    }
  },
)
