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
import { documentKey, type DocumentName } from '../../mesh/sync/index.ts'
import { settle } from '../kit/clock.ts'
import { backdatedChain, type BackdatedStep } from '../kit/removed-writer.ts'
import { createSyncWorld, type SyncPeer } from '../kit/sync-world.ts'

// Alice's phone is stolen and removed. Its thief signs, after the removal, that what Alice's laptop wrote is deleted.
// Mallory, another member of the room, says to have had that in time: it may hide the laptop's words, and erases nothing.

const ROOM = 'ab'.repeat(16) as RoomId
const NAME: DocumentName = { id: asId(ROOM), kind: 'operations', scope: asId<ScopeId>(roomScope(ROOM)) }
const ALICE = 'a'.repeat(32) as PersonId
const MALLORY = 'b'.repeat(32) as PersonId

test.each(['the envelope comes first', 'what Mallory told comes first'])(
  'the word of another for a removed device erases nothing for good: %s',
  async (order) => {
    const world = await createSyncWorld(order, 3)
    try {
      const [laptop, mallory, phone] = world.peers as [SyncPeer, SyncPeer, SyncPeer]
      const idOf = (peer: SyncPeer): DeviceId => peer.ports.signer.id
      for (const peer of world.peers) world.scopes.grant(idOf(peer), NAME.scope, ['read', 'write', 'store'])
      await world.scopes.rotate(NAME.scope)
      world.network.partition(...world.peers.map((peer) => [idOf(peer)]))
      const epoch = await phone.ports.keyring.current(NAME.scope, {})
      const chainOf = (peer: SyncPeer, step: BackdatedStep, at: number) =>
        backdatedChain([step], { ports: peer.ports, document: NAME, epoch, at })

      const record: RoomRecord = {
        ...{ id: ROOM, history: 'all', createdAt: world.clock.now(), createdBy: ALICE },
        people: [ALICE, MALLORY].map((person) => ({ person, since: world.clock.now() })),
        devices: world.peers.map(idOf),
      }
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
        openDocument: () =>
          openRoomDocument(
            { self: idOf(laptop), documents: laptop.documents, syncer: laptop.syncer, log: silentLogger },
            ROOM,
          ),
        ask: () => {
          throw new MeshError('bug', 'Nobody asks.')
        },
      })
      await rooms.open(ROOM)
      await rooms.say(ROOM, 'The key is under the stone.')
      await settle(10)
      const document = await openRoomDocument(
        { self: idOf(laptop), documents: laptop.documents, syncer: laptop.syncer, log: silentLogger },
        ROOM,
      )
      const isHere = (): boolean =>
        [...document.operations().values()].some(({ bytes }) =>
          Buffer.from(bytes).toString('latin1').includes('under the stone'),
        )
      const [message] = [...document.operations()].flatMap(([id, { bytes }]) =>
        Buffer.from(bytes).toString('latin1').includes('say') ? [id as MessageId] : [],
      )
      expect(isHere()).toBe(true)

      world.scopes.revoke(idOf(phone), NAME.scope)
      await world.scopes.rotate(NAME.scope)
      await settle(10)

      const at = world.clock.now()
      const deletion = encodeRoomOperation({ op: 'delete', order: at + 1, message: message as MessageId })
      const id = entryId(at, phone.ports.random, idOf(phone))
      const late = await chainOf(phone, { bytes: encodeRoomEntry({ id, operation: deletion }) }, at)
      const told = await chainOf(mallory, { ends: [{ chain: late.chain, sequence: 1 }] }, at)
      const chains = order.startsWith('the envelope') ? [late, told] : [told, late]
      const replica = await laptop.documents.replica(documentKey(NAME), {})
      for (const { envelopes } of chains) {
        const { stored } = (await replica?.receive(envelopes, idOf(mallory), {})) ?? { stored: [] }
        expect(stored).toHaveLength(1)
        await settle(10)
      }
      expect(isHere()).toBe(true)
      await document.close()
    } finally {
      await world.stop()
    }
  },
)
