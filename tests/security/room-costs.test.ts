import { describe, expect, test } from 'vitest'
import {
  ROOM_MARKS_PER_DEVICE_MAX,
  silentLogger,
  type DeviceId,
  type MessageId,
  type PersonId,
  type RoomId,
} from '../../mesh/base/index.ts'
import { createRoomFold, type RoomFold } from '../../mesh/state/rooms/fold.ts'
import { encodeRoomOperation, type RoomHappening } from '../../mesh/state/rooms/operations.ts'
import { createOpenRoom } from '../../mesh/state/rooms/open-room.ts'
import { createSeenBy, type SeenBy } from '../../mesh/state/rooms/seen.ts'
import { createVirtualClock } from '../kit/clock.ts'
import { createSeededRandom } from '../kit/random.ts'
import { createRoomNetwork } from '../kit/room-documents.ts'

// What a member writes into a room within what may be sent at once costs every other device time
// in proportion, on the thread of its page: whatever the operations are, in whatever order they
// come and go.

const mallory = '12D3KooWMallory' as DeviceId
const person = 'a'.repeat(32) as PersonId
const COUNT = 6_000
/** The processor's time, which others on the machine have no part in. A tenth of it is enough. */
const BEARABLE_MS = 1_000

const id = (index: number): MessageId => index.toString(36).padStart(26, '0') as MessageId
const lost = (index: number): MessageId => `x${id(index).slice(1)}` as MessageId
const order = (index: number): number => 1_700_000_000_000 + index
const heads = (index: number): MessageId[] => (index === 0 ? [] : [id(index - 1)])
const sixteen = Array.from({ length: 16 }, (_, index) => lost(index))

/** Each kind of operation, as it would be dearest. */
const KINDS: Readonly<Record<string, (index: number) => RoomHappening>> = {
  'messages in one line': (index) => ({ op: 'say', order: order(index), parents: heads(index) }),
  'messages that name what is not there': (index) => ({ op: 'say', order: order(index), parents: sixteen }),
  'messages that lie about what came before': (index) => ({
    op: 'say',
    order: order(index),
    parents: [id(index + 1), id(COUNT - 1)],
  }),
  'messages that claim ever earlier places': (index) => ({
    op: 'say',
    order: order(COUNT - index),
    parents: heads(index),
  }),
  'messages that have all seen each other': (index) => ({
    op: 'say',
    order: order(0),
    parents: [id((index + 1) % COUNT), id((index * 7) % COUNT)],
  }),
  answers: (index) => ({ op: 'answer', order: order(index), parents: [id(0)], question: id(0) }),
  'words of one message': (index) => ({ op: 'text', order: order(index), message: id(0), text: 'a' }),
  'pieces of one answer': (index) => ({ op: 'part', answer: id(0), from: 0, text: String(index) }),
  'hiding of one answer': (index) => ({ op: 'hide', order: order(index), answer: id(0), hidden: true }),
  'deleting of one message': (index) => ({ op: 'delete', order: order(index), message: id(0) }),
  names: (index) => ({ op: 'name', order: order(index), name: 'a' }),
  'names that come after each other': (index) => ({
    op: 'name',
    order: order(0),
    name: 'a',
    after: [id((index + COUNT - 1) % COUNT)],
  }),
  rules: (index) => ({ op: 'rule', order: order(index), rule: 'every-message' }),
  'read marks': (index) => ({ op: 'read', heads: [id(index)], missing: [] }),
  'read marks of stretches': (index) => ({
    op: 'read',
    heads: [],
    missing: [],
    // as many as fit into what may be sent at once
    spans: Array.from({ length: 16 }, () => [id(0), id(index)] as const),
  }),
  'read marks with an exception': (index) => ({ op: 'read', heads: [lost(0)], missing: [id(index)] }),
}

const ORDERS: Readonly<Record<string, (ids: readonly number[]) => number[]>> = {
  'as they were written': (ids) => [...ids],
  backwards: (ids) => [...ids].reverse(),
}

interface Room {
  readonly fold: RoomFold
  readonly seen: SeenBy
  put(id: string, happening: RoomHappening): void
  /** What each drawing of the room asks. */
  look(): void
}

function openRoom(): Room {
  const fold = createRoomFold()
  const seen = createSeenBy(fold, () => person)
  return {
    fold,
    seen,
    put(operation, happening) {
      fold.put(operation, { bytes: encodeRoomOperation(happening), author: mallory, at: 0 })
    },
    look() {
      const { ancestry, marksOf } = fold.takeChange()
      seen.forget(ancestry ? 'all' : marksOf)
      for (const node of fold.messages) seen.has(person, node)
      fold.heads()
      for (const [, by] of fold.missing()) expect(by).toBeDefined()
      fold.setting('name')
      fold.setting('rule')
    },
  }
}

function cpuMs(work: () => void): number {
  const before = process.cpuUsage()
  work()
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1_000
}

/** A room of Alice and Mallory, open on Alice's device, into which Mallory writes one operation after the other. */
function roomOfTwo(): { put(operation: string, happening: RoomHappening): void; view(): unknown } {
  const alice = '12D3KooWAlice' as DeviceId
  const personOf = (device: DeviceId): PersonId => (device === alice ? 'a' : 'b').repeat(32) as PersonId
  const clock = createVirtualClock()
  const random = createSeededRandom('one by one')
  const network = createRoomNetwork(random, clock)
  const document = network.document(alice)
  const theirs = network.document(mallory)
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
  return {
    put(operation, happening) {
      theirs.plant(operation, encodeRoomOperation(happening), clock.now())
      network.deliverAll()
    },
    view: () => open.view(),
  }
}

const indexes = Array.from({ length: COUNT }, (_, index) => index)

describe('what a member may write at once costs time in proportion', () => {
  describe.each(Object.keys(ORDERS))('%s', (orderName) => {
    const inOrder = ORDERS[orderName]?.(indexes) ?? []
    test.each(Object.keys(KINDS))('%s', (name) => {
      const make = KINDS[name] ?? (() => ({ op: 'read', heads: [], missing: [] }))
      const { fold, look } = openRoom()
      const written = inOrder.map((index) => ({ id: id(index), bytes: encodeRoomOperation(make(index)) }))
      const ms = cpuMs(() => {
        for (const { id: operation, bytes } of written) fold.put(operation, { bytes, author: mallory, at: 0 })
        look()
        for (const index of inOrder) fold.erase(id(index))
        look()
      })
      console.info(`${orderName}, ${name}: ${ms.toFixed(0)} ms`)
      expect(fold.messages).toEqual([])
      expect(ms).toBeLessThan(BEARABLE_MS)
    })
  })

  test('read marks with exceptions beside as many messages, and each that follows', () => {
    const { put, look } = openRoom()
    for (const index of indexes) put(id(index), { op: 'say', order: order(index), parents: heads(index) })
    for (const index of indexes) put(lost(index), { op: 'read', heads: [id(COUNT - 1)], missing: [lost(0)] })
    const firstMs = cpuMs(look)
    const furtherMs = cpuMs(() => {
      for (let index = 0; index < 20; index++) {
        put(lost(COUNT + index), { op: 'read', heads: [id(COUNT - 1)], missing: [lost(1)] })
        look()
      }
    })
    console.info(`first ${firstMs.toFixed(0)} ms, further ${furtherMs.toFixed(0)} ms`)
    expect(firstMs).toBeLessThan(BEARABLE_MS)
    expect(furtherMs).toBeLessThan(BEARABLE_MS)
  })

  test('messages that come one by one before what has seen them, and raise all that follows', () => {
    const { put, look } = openRoom()
    for (const index of indexes) put(id(index), { op: 'say', order: order(index), parents: index === 0 ? [lost(0)] : heads(index) }) // prettier-ignore
    look()
    const ms = cpuMs(() => {
      for (let index = 0; index < 20; index++) {
        put(lost(index), { op: 'say', order: order(COUNT), parents: [lost(index + 1)] })
        look()
      }
    })
    console.info(`each ${(ms / 20).toFixed(0)} ms`)
    expect(ms).toBeLessThan(2 * BEARABLE_MS)
  })

  test.each([
    ['words of one message, each after the last, while nobody looks', false],
    ['hiding of one answer, looked at each time', true],
  ])('%s', (_, isDrawn) => {
    const { put, view } = roomOfTwo()
    put(id(0), isDrawn ? { op: 'answer', order: order(0), parents: [], question: lost(0) } : { op: 'say', order: order(0), parents: [] }) // prettier-ignore
    const one = (index: number): void => {
      const after = index === 1 ? undefined : [lost(index - 1)]
      put(lost(index), isDrawn ? { op: 'hide', order: order(0), after, answer: id(0), hidden: true } : { op: 'text', order: order(0), after, message: id(0), text: 'a' }) // prettier-ignore
    }
    for (let index = 1; index <= COUNT; index++) one(index)
    view()
    const ms = cpuMs(() => {
      for (let index = COUNT + 1; index <= COUNT + 200; index++) {
        one(index)
        if (isDrawn) view()
      }
    })
    console.info(`each ${(ms / 200).toFixed(2)} ms`)
    expect(ms).toBeLessThan(BEARABLE_MS / 2)
  })

  test('messages that come after very many read marks', () => {
    const { put, look } = openRoom()
    for (const index of indexes) put(lost(index), { op: 'read', heads: sixteen, missing: [] })
    const ms = cpuMs(() => {
      for (const index of indexes) put(id(index), { op: 'say', order: order(index), parents: [] })
      look()
    })
    expect(ms).toBeLessThan(BEARABLE_MS)
  })

  test('of the read marks of a device its newest count, and those before them again when they go', () => {
    const { fold, seen, put, look } = openRoom()
    const last = ROOM_MARKS_PER_DEVICE_MAX + 1
    for (let index = 0; index <= last; index++) {
      put(id(index), { op: 'say', order: order(index), parents: [] })
      put(lost(index), { op: 'read', heads: [id(index)], missing: [] })
    }
    const read = (): boolean[] => {
      look()
      return fold.messages.map((node) => seen.has(person, node))
    }
    expect(read()).toEqual([false, false, ...Array.from({ length: last - 1 }, () => true)])
    fold.erase(lost(last))
    expect(read()).toEqual([false, ...Array.from({ length: last - 1 }, () => true), false])
    fold.erase(lost(1))
    expect(read()).toEqual([true, false, ...Array.from({ length: last - 2 }, () => true), false])
  })
})
