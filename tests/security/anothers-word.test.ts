import { expect, test } from 'vitest'
import {
  asId,
  createEvents,
  MeshError,
  silentLogger,
  type DeviceId,
  type MessageId,
  type PersonId,
  type RoomId,
  type ScopeId,
} from '../../mesh/base/index.ts'
import { roomScope } from '../../mesh/identity/index.ts'
import { openRoomDocument } from '../../mesh/room-documents.ts'
import { encodeRoomEntry } from '../../mesh/room-entries.ts'
import { entryId } from '../../mesh/state/entry-id.ts'
import { createRooms, type RoomRecord } from '../../mesh/state/index.ts'
import { encodeRoomOperation } from '../../mesh/state/rooms/operations.ts'
import { documentKey, type DocumentName, type Replica } from '../../mesh/sync/index.ts'
import { settle } from '../kit/clock.ts'
import { backdatedChain, type BackdatedStep } from '../kit/removed-writer.ts'
import { createSyncWorld, type SyncPeer, type SyncWorld } from '../kit/sync-world.ts'

// Alice's phone is stolen and removed. Its thief signs, after the removal, that what Alice's laptop wrote is deleted.
// Mallory, another member of the room, says to have had that in time: it may hide the laptop's words, and erases nothing.

const ROOM = 'ab'.repeat(16) as RoomId
const NAME: DocumentName = { id: asId(ROOM), kind: 'operations', scope: asId<ScopeId>(roomScope(ROOM)) }
const ALICE = 'a'.repeat(32) as PersonId
const MALLORY = 'b'.repeat(32) as PersonId
const WORDS = 'under the stone'
const ENVELOPE_FIRST = 'the envelope comes first'
const TOLD_FIRST = 'what Mallory told comes first'

interface Scene {
  readonly world: SyncWorld
  /** Nobody but Mallory is another person. */
  readonly record: RoomRecord
  readonly mallory: SyncPeer
  readonly phone: SyncPeer
}

const idOf = (peer: SyncPeer): DeviceId => peer.ports.signer.id

/** The room as the laptop has it, with all that it does by itself. */
async function openRoom({ world, record, mallory }: Scene) {
  const [laptop] = world.peers as [SyncPeer]
  const openDocument = () =>
    openRoomDocument(
      { self: idOf(laptop), documents: laptop.documents, syncer: laptop.syncer, log: silentLogger },
      ROOM,
    )
  const rooms = await createRooms({
    ...{ self: idOf(laptop), store: laptop.store, clock: world.clock, random: laptop.ports.random },
    log: silentLogger,
    directory: {
      self: ALICE,
      list: () => [record],
      create: () => Promise.resolve(ROOM),
      leave: () => Promise.resolve(),
      personOf: (device: DeviceId) => (device === idOf(mallory) ? MALLORY : ALICE),
      nameOf: () => 'somebody',
      changes: createEvents<void>(() => undefined),
    },
    openDocument,
    ask: () => {
      throw new MeshError('bug', 'Nobody asks.')
    },
  })
  await rooms.open(ROOM)
  const document = await openDocument()
  const textOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1')
  return {
    rooms,
    isHere: (): boolean => [...document.operations().values()].some(({ bytes }) => textOf(bytes).includes(WORDS)),
    messageId: (): MessageId | undefined =>
      [...document.operations()].flatMap(([id, { bytes }]) =>
        textOf(bytes).includes('say') ? [id as MessageId] : [],
      )[0],
    close: () => document.close(),
  }
}

async function sceneOf(seed: string): Promise<Scene> {
  const world = await createSyncWorld(seed, 3)
  const [, mallory, phone] = world.peers as [SyncPeer, SyncPeer, SyncPeer]
  for (const peer of world.peers) world.scopes.grant(idOf(peer), NAME.scope, ['read', 'write', 'store'])
  await world.scopes.rotate(NAME.scope)
  world.network.partition(...world.peers.map((peer) => [idOf(peer)]))
  const since = world.clock.now()
  const record: RoomRecord = {
    ...{ id: ROOM, history: 'all', createdAt: since, createdBy: ALICE },
    people: [ALICE, MALLORY].map((person) => ({ person, since })),
    devices: world.peers.map(idOf),
  }
  return { world, record, mallory, phone }
}

/** The phone is removed, deletes a message, and Mallory brings that and says to have had it. */
async function bringDeletion({ world, mallory, phone }: Scene, message: MessageId, order: string): Promise<Replica> {
  const epoch = await phone.ports.keyring.current(NAME.scope, {})
  world.scopes.revoke(idOf(phone), NAME.scope)
  await world.scopes.rotate(NAME.scope)
  await settle(10)
  const at = world.clock.now()
  const chainOf = (peer: SyncPeer, step: BackdatedStep) =>
    backdatedChain([step], { ports: peer.ports, document: NAME, epoch, at })
  const operation = encodeRoomOperation({ op: 'delete', order: at + 1, message })
  const id = entryId(at, phone.ports.random, idOf(phone))
  const late = await chainOf(phone, { bytes: encodeRoomEntry({ id, operation }) })
  const told = await chainOf(mallory, { ends: [{ chain: late.chain, sequence: 1 }] })
  const replica = (await world.peers[0]?.documents.replica(documentKey(NAME), {})) as Replica
  for (const { envelopes } of order === ENVELOPE_FIRST ? [late, told] : [told, late]) {
    const { stored } = await replica.receive(envelopes, idOf(mallory), {})
    expect(stored).toHaveLength(1)
    await settle(10)
  }
  return replica
}

test.each([
  [ENVELOPE_FIRST, 'from the log'],
  [ENVELOPE_FIRST, 'from a snapshot'],
  [TOLD_FIRST, 'from the log'],
  [TOLD_FIRST, 'from a snapshot'],
])(
  'the word of another for a removed device erases nothing for good: %s, and it is opened again %s',
  async (order, from) => {
    const scene = await sceneOf(order)
    const { world } = scene
    try {
      const room = await openRoom(scene)
      await room.rooms.say(ROOM, `The key is ${WORDS}.`)
      await settle(10)
      expect(room.isHere()).toBe(true)
      const replica = await bringDeletion(scene, room.messageId() as MessageId, order)
      expect(room.isHere()).toBe(true)
      if (from === 'from a snapshot') await replica.compact({})
      await room.close()
      await world.restart(0)
      const again = await openRoom(scene)
      await settle(10)
      expect(again.isHere()).toBe(true)
      await again.close()
    } finally {
      await world.stop()
    }
  },
)
