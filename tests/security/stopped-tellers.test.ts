import { afterEach, expect, test } from 'vitest'
import { asId, silentLogger, SYNC_LATE_BYTES, type DeviceId, type RoomId, type ScopeId } from '../../mesh/base/index.ts'
import { roomScope } from '../../mesh/identity/index.ts'
import { openRoomDocument } from '../../mesh/room-documents.ts'
import { encodeRoomEntry } from '../../mesh/room-entries.ts'
import { entryId } from '../../mesh/state/entry-id.ts'
import { encodeRoomOperation } from '../../mesh/state/rooms/operations.ts'
import { documentKey, type DocumentName } from '../../mesh/sync/index.ts'
import { backdatedChain, type BackdatedStep } from '../kit/removed-writer.ts'
import { createSyncWorld, ROOM, type SyncPeer, type SyncWorld } from '../kit/sync-world.ts'

// A member breaks a rule where one device has the room open, which takes nothing further of it. What it tells
// another one of a removed device's words decides there which of these are taken, and which of them count.

let world: SyncWorld
afterEach(async () => {
  await world.stop()
})

const idOf = (peer: SyncPeer): DeviceId => peer.ports.signer.id

/** Four who hear nothing of each other, and the key of that time. */
async function scene(name: string, document: DocumentName) {
  world = await createSyncWorld(name, 4)
  const [alice, bob, mallory, ghost] = world.peers as [SyncPeer, SyncPeer, SyncPeer, SyncPeer]
  for (const peer of world.peers) world.scopes.grant(idOf(peer), document.scope, ['read', 'write', 'store'])
  await world.scopes.rotate(document.scope)
  world.network.partition(...world.peers.map((peer) => [idOf(peer)]))
  const epoch = await ghost.ports.keyring.current(document.scope, {})
  const chainOf = (peer: SyncPeer, steps: readonly BackdatedStep[], at = world.clock.now(), run?: Uint8Array) =>
    backdatedChain(steps, { ports: peer.ports, document, epoch, at, ...(run === undefined ? {} : { run }) })
  const bring = async (to: SyncPeer, by: SyncPeer, { envelopes }: { envelopes: Uint8Array[] }): Promise<number> => {
    const replica = await to.documents.adopt(document, {})
    const { stored } = await replica.receive(envelopes, idOf(by), {})
    to.documents.release(replica)
    return stored.length
  }
  const remove = async (peer: SyncPeer): Promise<void> => {
    world.scopes.revoke(idOf(peer), document.scope)
    await world.scopes.rotate(document.scope)
  }
  /** Alice and Bob are together again, until ends were told and asked for. */
  const meet = async (): Promise<void> => {
    world.network.partition([idOf(alice), idOf(bob)])
    for (let step = 0; step < 4; step++) {
      await world.calm()
      await world.clock.advanceAsync(30_000)
    }
    await world.calm()
  }
  return { alice, bob, mallory, ghost, chainOf, bring, remove, meet }
}

const BREAKS: readonly BackdatedStep[] = [{ bytes: Uint8Array.of(1), isBroken: true }]

test.each([
  ['in a chain apart', []],
  ['behind something else', [{ bytes: Uint8Array.of(2) }]],
  ['in a chain apart that goes on with what breaks a rule', [], BREAKS],
] as const)(
  'what an honest device holds of a removed one comes to all, whoever told of it first, %s',
  async (how, before, then: readonly BackdatedStep[] = []) => {
    const { alice, bob, mallory, ghost, chainOf, bring, remove, meet } = await scene(how, ROOM)
    const WORDS = 12
    const words = Array.from({ length: WORDS }, () => ({ bytes: new Uint8Array(SYNC_LATE_BYTES / 8) }))
    const written = await chainOf(ghost, words)
    await bring(bob, ghost, written)
    const open = await alice.open(ROOM)
    await bring(alice, mallory, await chainOf(mallory, BREAKS))
    expect(alice.documents.quarantined()).toHaveLength(1)
    const ends = [{ chain: written.chain, sequence: 1_000_000 }]
    await bring(bob, mallory, await chainOf(mallory, [...before, { ends }, ...then]))
    await remove(ghost)
    await meet()
    open.close()
    expect((await alice.documents.replica(documentKey(ROOM), {}))?.heldOf(written.chain)).toBe(WORDS)
  },
)

test('and where it told others something else in the same place', async () => {
  const { alice, bob, mallory, ghost, chainOf, bring, remove, meet } = await scene('told apart', ROOM)
  const WORDS = 12
  const words = Array.from({ length: WORDS }, () => ({ bytes: new Uint8Array(SYNC_LATE_BYTES / 8) }))
  const written = await chainOf(ghost, words)
  await bring(bob, ghost, written)
  const run = mallory.ports.random.bytes(16)
  await bring(alice, mallory, await chainOf(mallory, [{ ends: [{ chain: 1, sequence: 1 }] }], 1, run))
  await bring(bob, mallory, await chainOf(mallory, [{ ends: [{ chain: written.chain, sequence: WORDS }] }], 1, run))
  await remove(ghost)
  await meet()
  expect((await alice.documents.replica(documentKey(ROOM), {}))?.heldOf(written.chain)).toBe(WORDS)
})

test('what somebody else wrote shows the same on two devices, of which one takes nothing more of a member that told of it', async () => {
  const room = 'ab'.repeat(16) as RoomId
  const name: DocumentName = { id: asId(room), kind: 'operations', scope: asId<ScopeId>(roomScope(room)) }
  const { alice, bob, mallory, ghost, chainOf, bring, remove, meet } = await scene('stopped teller', name)
  const order = world.clock.now()
  const id = entryId(order, ghost.ports.random, idOf(ghost))
  const naming = (called: string) => {
    const operation = encodeRoomOperation({ op: 'name', order, name: called })
    return chainOf(ghost, [{ bytes: encodeRoomEntry({ id, operation }) }])
  }
  const [first, other] = [await naming('Family'), await naming('Mallory')]
  for (const to of [alice, bob]) for (const chain of [first, other]) await bring(to, ghost, chain)
  const openAt = ({ documents, syncer, ports }: SyncPeer) =>
    openRoomDocument({ self: ports.signer.id, documents, syncer, log: silentLogger }, room)
  const open = await openAt(alice)
  await remove(ghost)
  await (await alice.documents.replica(documentKey(name), {}))?.tellEnds({})
  await bring(alice, mallory, await chainOf(mallory, BREAKS))
  const told = await chainOf(mallory, [{ ends: [other, first].map(({ chain }) => ({ chain, sequence: 1 })) }], 1)
  for (const to of [alice, bob]) await bring(to, mallory, told)
  await meet()
  await open.close()
  const shown = async (index: number): Promise<string> => {
    const document = await openAt(await world.restart(index))
    const text = [...document.operations().values()].map(({ bytes }) => Buffer.from(bytes).toString('latin1')).join()
    await document.close()
    return /Family|Mallory/.exec(text)?.[0] ?? ''
  }
  expect([await shown(0), await shown(1)]).toEqual(['Mallory', 'Mallory'])
})

test('ends told beside or behind something else are not taken, nor something else behind ends', async () => {
  const { bob, mallory, chainOf, bring } = await scene('mixed', ROOM)
  const ends = [{ chain: 1, sequence: 1 }]
  const word = { bytes: Uint8Array.of(1) }
  for (const [steps, taken] of [
    [[{ ...word, ends }], 0],
    [[word, { ends }], 1],
    [[{ ends }, word], 1],
    [[{ ends }, { ends }], 2],
  ] as const) {
    await bob.documents.lift(ROOM, idOf(mallory))
    expect(await bring(bob, mallory, await chainOf(mallory, steps))).toBe(taken)
  }
})
