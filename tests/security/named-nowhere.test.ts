import { expect, test } from 'vitest'
import {
  silentLogger,
  SYNC_BUDGET_OPERATION_BYTES,
  type DeviceId,
  type MessageId,
  type PersonId,
  type RoomId,
} from '../../mesh/base/index.ts'
import { encodeRoomEntry } from '../../mesh/room-entries.ts'
import type { StoredOperation } from '../../mesh/state/index.ts'
import { createOpenRoom } from '../../mesh/state/rooms/open-room.ts'
import { encodeRoomOperation, type RoomHappening } from '../../mesh/state/rooms/operations.ts'
import { createVirtualClock } from '../kit/clock.ts'
import { heldBytes } from '../kit/memory.ts'
import { createSeededRandom } from '../kit/random.ts'
import { createRoomNetwork } from '../kit/room-documents.ts'

// An operation names others by their ids, which need not exist and need not be long. What a device remembers
// of them takes no more memory than its author is charged for.

const alice = '12D3KooWAlice' as DeviceId
const mallory = '12D3KooWMallory' as DeviceId
const COUNT = 1_500
/** Of a megabyte or so the measure is no better than this. */
const MEASURE = 1.1

const id = (index: number): MessageId => index.toString(36).padStart(36, '0') as MessageId
const ids = (count: number, index: number): MessageId[] =>
  Array.from({ length: count }, (_, at) => `lost${(index * 256 + at).toString(36).padStart(7, '0')}` as MessageId)

const KINDS: Readonly<Record<string, (index: number, now: number) => RoomHappening>> = {
  messages: (index, now) => ({ op: 'say', order: now + index, parents: ids(16, index) }),
  names: (index, now) => ({ op: 'name', order: now + index, name: 'a', after: ids(16, index) }),
  'read marks': (index) => ({ op: 'read', heads: ids(16, index), missing: ids(64, index), spans: [] }),
}

test.each(Object.keys(KINDS))('%s that name what is nowhere take no more memory than is charged', (name) => {
  const clock = createVirtualClock()
  const random = createSeededRandom(name)
  const network = createRoomNetwork(random, clock)
  const document = network.document(alice)
  const personOf = (device: DeviceId): PersonId => (device === alice ? 'a' : 'b').repeat(32) as PersonId
  let charged = 0
  for (let index = 0; index < COUNT; index++) {
    const operation = encodeRoomOperation(KINDS[name]?.(index, clock.now()) ?? { op: 'read', heads: [], missing: [] })
    charged += SYNC_BUDGET_OPERATION_BYTES + encodeRoomEntry({ id: id(index), operation }).byteLength
    const stored = { bytes: operation, author: mallory, at: clock.now() }
    ;(document.operations() as Map<string, StoredOperation>).set(id(index), stored)
  }
  expect(document.operations().size).toBe(COUNT)
  const before = heldBytes()
  const people = [alice, mallory].map((device) => ({ person: personOf(device), since: 0 }))
  const open = createOpenRoom({
    ...{ self: alice, person: personOf(alice), clock, random, log: silentLogger, document, personOf },
    arrivals: { get: () => undefined, note: () => undefined, settled: () => Promise.resolve() },
    nameOf: () => 'Somebody',
    record: () => ({ id: 'ab'.repeat(16) as RoomId, history: 'all', createdAt: 0, createdBy: personOf(alice), people, devices: [alice, mallory] }), // prettier-ignore
    ask: () => {
      throw new TypeError('nobody asks here')
    },
    changed: () => undefined,
    problem: () => undefined,
  })
  const { health } = open.view()
  const held = heldBytes() - before
  console.info(`${name}: ${(held / COUNT).toFixed(0)} bytes each, charged ${(charged / COUNT).toFixed(0)}`)
  expect(health.corruptOperations).toBe(0)
  expect(held).toBeLessThan(charged * MEASURE)
})
