import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { asId, ROOM_ORDER_MAX, type DeviceId, type MessageId } from '../../base/index.ts'
import { createRoomFold, type RoomFold } from './fold.ts'
import { encodeRoomOperation, type RoomHappening } from './operations.ts'
import { latestOrder } from '../levels.ts'
import { nextOrder } from './order.ts'
import { createSeenBy, readMark } from './seen.ts'

const FULL = process.env['PLEXUS_TEST_FULL'] === '1'
const IDS = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'] as unknown as MessageId[]
const AUTHORS = ['x', 'y', 'z'] as unknown as DeviceId[]

const order = fc.oneof(fc.integer({ min: 0, max: 12 }), fc.constant(ROOM_ORDER_MAX))
const id = fc.constantFrom(...IDS)
const after = fc.option(fc.array(fc.oneof(id, fc.constantFrom('p', 'q', 'pq')), { maxLength: 3 }), {
  nil: undefined,
}) as fc.Arbitrary<MessageId[] | undefined>
/** Anything members may write, liars and circles among them. */
const happening: fc.Arbitrary<RoomHappening> = fc.oneof(
  fc.record({ op: fc.constant('say' as const), order, parents: fc.array(id, { maxLength: 4 }) }),
  fc.record({ op: fc.constant('answer' as const), order, parents: fc.array(id, { maxLength: 4 }), question: id }),
  fc.record({ op: fc.constant('text' as const), order, message: id, text: fc.string({ maxLength: 3 }) }),
  fc.record({ op: fc.constant('delete' as const), order, message: id }),
  fc.record({
    op: fc.constant('part' as const),
    answer: id,
    from: fc.integer({ min: 0, max: 3 }),
    text: fc.string({ maxLength: 3 }),
  }),
  fc.record({ op: fc.constant('hide' as const), order, after, answer: id, hidden: fc.boolean() }),
  fc.record({ op: fc.constant('name' as const), order, after, name: fc.constantFrom('one', 'two', 'three') }),
  fc.record({
    op: fc.constant('read' as const),
    heads: fc.array(id, { maxLength: 3 }),
    missing: fc.array(id, { maxLength: 3 }),
    spans: fc.option(fc.array(fc.tuple(id, id), { maxLength: 2 }), { nil: undefined }),
  }),
)

interface Written {
  readonly id: string
  readonly happening: RoomHappening
  readonly author: DeviceId
}
const written = fc.record({
  id: fc.oneof(
    id as fc.Arbitrary<string>,
    fc.string({ unit: fc.constantFrom('p', 'q', 'r'), minLength: 1, maxLength: 4 }),
  ),
  happening,
  author: fc.constantFrom(...AUTHORS),
})
const room = fc.uniqueArray(written, { selector: (each) => each.id, maxLength: 24 })

function put(fold: RoomFold, each: Written): void {
  fold.put(each.id, { bytes: encodeRoomOperation(each.happening), author: each.author, at: 5 })
}

/** Everything of a fold that can be seen from outside. */
function picture(fold: RoomFold): unknown {
  const seen = createSeenBy(fold, (device) => asId(device))
  return {
    messages: fold.messages.map((node) => ({
      id: node.id,
      author: node.head.author,
      children: [...node.children].map((child) => child.id).sort(),
      about: [...node.about.keys()].sort(),
      seenBy: AUTHORS.filter((author) => seen.has(asId(author), node)),
    })),
    heads: fold
      .heads()
      .map((node) => node.id)
      .sort(),
    missing: [...fold.missing()].map(([missing, by]) => [missing, [...by].map((node) => node.id).sort()]).sort(),
    name: fold.setting('name')?.id,
  }
}

const idsOf = (nodes: readonly { readonly id: string }[]): string[] => nodes.map(({ id: each }) => each)

describe('a room folded from its operations', () => {
  it('is the same in whatever order they came, how often, and after whatever was erased', () => {
    fc.assert(
      fc.property(
        room,
        fc.infiniteStream(fc.nat()),
        fc.array(written, { maxLength: 4 }),
        (operations, chance, gone) => {
          const straight = createRoomFold()
          for (const each of operations) put(straight, each)

          const crooked = createRoomFold()
          const ids = new Set(operations.map((each) => each.id))
          const erased = gone.filter((each) => !ids.has(each.id))
          const shuffled = [...operations, ...operations, ...erased]
            .map((each) => ({ each, key: chance.next().value }))
            .sort((a, b) => a.key - b.key)
          for (const { each } of shuffled) put(crooked, each)
          for (const each of erased) crooked.erase(each.id)

          expect(picture(crooked)).toEqual(picture(straight))
        },
      ),
      { numRuns: FULL ? 20_000 : 500 },
    )
  }, 600_000)

  it('places causes before effects, whoever lies about the time', () => {
    fc.assert(
      fc.property(fc.array(fc.record({ clock: fc.integer(), sees: fc.nat() }), { maxLength: 30 }), (steps) => {
        const fold = createRoomFold()
        steps.forEach(({ clock, sees }, index) => {
          // each author saw some prefix of what there was
          const visible = createRoomFold()
          for (const node of fold.messages.slice(0, sees % (fold.messages.length + 1))) {
            visible.put(node.id, {
              bytes: encodeRoomOperation(node.head.operation),
              author: node.head.author,
              at: 0,
            })
          }
          put(fold, {
            id: `m${String(index)}`,
            author: asId<DeviceId>('x'),
            happening: {
              op: 'say',
              order: nextOrder(clock, visible.lastOrder(latestOrder(clock))),
              parents: visible
                .heads()
                .map((node) => node.id)
                .slice(-16),
            },
          })
        })
        const at = new Map(fold.messages.map((node, index) => [node.id, index]))
        for (const node of fold.messages) {
          for (const parent of node.head.operation.parents) {
            expect(at.get(parent)).toBeLessThan(at.get(node.id) ?? -1)
          }
        }
      }),
      { numRuns: FULL ? 5_000 : 200 },
    )
  }, 600_000)

  it('is as an earlier version has it where nobody lies', () => {
    fc.assert(
      fc.property(fc.array(fc.record({ aheadMs: fc.nat({ max: 3_600_000 }), sees: fc.nat() })), (steps) => {
        const fold = createRoomFold()
        steps.forEach(({ aheadMs, sees }, index) => {
          const visible = createRoomFold()
          for (const node of fold.messages.slice(0, sees % (fold.messages.length + 1)))
            visible.put(node.id, { bytes: encodeRoomOperation(node.head.operation), author: node.head.author, at: 0 })
          const parents = visible.heads().map((node) => node.id)
          const at = nextOrder(aheadMs, visible.lastOrder(latestOrder(aheadMs)))
          put(fold, {
            id: `m${String(index)}`,
            author: asId<DeviceId>('x'),
            happening: { op: 'say', order: at, parents: parents.slice(-16) },
          })
        })
        const before = fold.messages.toSorted((a, b) => a.order - b.order || (a.id < b.id ? -1 : 1))
        expect(idsOf(fold.messages)).toEqual(idsOf(before))
      }),
      { numRuns: FULL ? 5_000 : 100 },
    )
  }, 600_000)

  it('tells of each message exactly whether it was seen, by a mark read back', () => {
    fc.assert(
      fc.property(room, fc.infiniteStream(fc.boolean()), (operations, chance) => {
        const fold = createRoomFold()
        for (const each of operations) if (each.happening.op !== 'read') put(fold, each)
        const seen = new Set(fold.messages.filter(() => chance.next().value === true))
        const mark = readMark(fold, (node) => seen.has(node))
        put(fold, { id: 'mark', author: asId<DeviceId>('reader'), happening: { op: 'read', ...mark } })
        const read = createSeenBy(fold, (device) => asId(device))
        const told = fold.messages.filter((node) => read.has(asId('reader'), node))
        expect(told).toEqual(fold.messages.filter((node) => seen.has(node)))
      }),
      { numRuns: FULL ? 5_000 : 300 },
    )
  }, 600_000)

  it('tells what was seen up to somewhere, whatever is missing and however many ends there are', () => {
    const said = fc.record({ author: fc.constantFrom(...AUTHORS), back: fc.array(fc.nat(), { maxLength: 3 }), lost: fc.nat({ max: 16 }) }) // prettier-ignore
    fc.assert(
      fc.property(fc.array(said, { minLength: 30, maxLength: 120 }), fc.nat(), fc.nat(), (all, from, to) => {
        const fold = createRoomFold()
        const idOf = (index: number): MessageId => asId(`m${String(index).padStart(4, '0')}`)
        all.forEach(({ author, back, lost }, index) => {
          const parents = back.flatMap((far) => (index === 0 ? [] : [idOf(index - 1 - (far % Math.min(index, 8)))]))
          for (let number = parents.length; number < lost; number++) parents.push(asId(`lost-${String(index)}-${String(number)}`)) // prettier-ignore
          put(fold, {
            id: idOf(index),
            author,
            happening: { op: 'say', order: index + 1, parents: [...new Set(parents)] },
          })
        })
        const seen = new Set(fold.messages.slice(from % 20, 20 + (to % (all.length - 20))))
        const mark = readMark(fold, (node) => seen.has(node))
        put(fold, { id: 'mark', author: asId<DeviceId>('reader'), happening: { op: 'read', ...mark } })
        const read = createSeenBy(fold, (device) => asId(device))
        expect(idsOf(fold.messages.filter((node) => read.has(asId('reader'), node)))).toEqual(idsOf([...seen]))
        // what comes late, from who had said nothing yet, is not read
        for (const [id] of [...fold.missing()]) put(fold, { id, author: asId<DeviceId>('late'), happening: { op: 'say', order: 0, parents: [] } }) // prettier-ignore
        fold.takeChange()
        const later = createSeenBy(fold, (device) => asId(device))
        expect(idsOf(fold.messages.filter((node) => later.has(asId('reader'), node)))).toEqual(idsOf([...seen]))
      }),
      { numRuns: FULL ? 2_000 : 30 },
    )
  }, 600_000)
})
