import * as cbor from '@ipld/dag-cbor'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createSeededRandom } from '../../tests/kit/random.ts'
import { asId, type ChatId, type DeviceId, type MessageId } from '../base/index.ts'
import { decodeOperation, encodeOperation, type Operation } from './operations.ts'
import { asMade, carriedBy, createChatOperations } from './chat-operations.ts'
import { entryId } from './entry-id.ts'
import { foldChat, pathTo, siblingsOf, type ChatTree } from './tree.ts'

const chat = asId<ChatId>('chat')
const message = fc.constantFrom('a', 'b', 'c', 'd', 'e').map((id) => asId<MessageId>(id))
const name = fc.stringMatching(/^[a-z0-9]{1,6}$/)
const id = fc.oneof(name, fc.constantFrom('p', 'q', 'r', 's', 't'))
/** Anything may be claimed to have been seen, circles among it. */
const after = fc.option(fc.array(id, { maxLength: 3 }), { nil: undefined })
const base = { v: fc.constant(1 as const), id, at: fc.nat({ max: 20 }), after, chat: fc.constant(chat) }
const text = fc.string({ unit: 'grapheme', maxLength: 12 })

const operation: fc.Arbitrary<Operation> = fc.oneof(
  fc.record({ ...base, op: fc.constant('say' as const), message, parent: fc.option(message), text }),
  fc.record({ ...base, op: fc.constant('answer' as const), message, parent: message }),
  fc.record({
    ...base,
    op: fc.constant('end' as const),
    message,
    state: fc.constantFrom('done' as const, 'failed' as const),
    text,
    route: fc.constant(undefined),
    figures: fc.constant(undefined),
  }),
  fc.record({ ...base, op: fc.constant('show' as const), message }),
  fc.record({ ...base, op: fc.constant('title' as const), title: text }),
)

/** The chat these operations make when they come in this order. */
function fold(operations: Iterable<Operation>): ChatTree {
  const all = createChatOperations()
  for (const each of operations) {
    const made = asMade(each)
    if (made !== undefined) all.add(made)
  }
  return foldChat(chat, 0, all.inOrder())
}

/** What must hold of any tree, made of any operations in any order. */
function expectSound(tree: ChatTree): void {
  const reached = new Set<MessageId>()
  const visit = (id: MessageId, parent: MessageId | null): void => {
    const found = tree.messages.get(id)
    expect(found?.parent ?? null).toBe(parent)
    expect(reached.has(id)).toBe(false)
    reached.add(id)
    for (const child of found?.children ?? []) visit(child, id)
  }
  for (const root of tree.roots) visit(root, null)
  expect(reached.size).toBe(tree.messages.size)
  for (const found of tree.messages.values()) {
    expect(siblingsOf(tree, found)).toContain(found.id)
    if (found.author === 'ai' && found.parent !== null) expect(tree.messages.has(found.parent)).toBe(true)
  }
  if (tree.messages.size > 0) expect(pathTo(tree, tree.leaf).at(-1)?.id ?? null).toBe(tree.leaf)
}

describe('an operation', () => {
  it('comes back from its bytes as it was', () => {
    fc.assert(
      fc.property(operation, (given) => {
        const decoded = decodeOperation(encodeOperation(given))
        expect(decoded).toEqual({ kind: 'operation', operation: JSON.parse(JSON.stringify(given)) })
      }),
    )
  })

  it('of a newer version, or of a name nobody here knows, is skipped and not called corrupt', () => {
    const newer = { v: 2, op: 'say', id: 'x', at: 1, more: ['whatever'] }
    expect(decodeOperation(cbor.encode(newer)).kind).toBe('newer')
    expect(decodeOperation(cbor.encode({ ...newer, v: 1, op: 'react' })).kind).toBe('newer')
  })

  it('is never read from bytes that are none, and reading never throws', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.uint8Array({ maxLength: 400 }),
          fc.jsonValue().map((value) => cbor.encode(value)),
        ),
        (bytes) => {
          expect(['corrupt', 'newer']).toContain(decodeOperation(bytes).kind)
        },
      ),
      { numRuns: 600 },
    )
  })

  it('with one bit changed is refused or read as another operation, and the fold stands either way', () => {
    fc.assert(
      fc.property(
        fc.array(operation, { minLength: 1, maxLength: 12 }),
        fc.nat(),
        fc.nat({ max: 7 }),
        (operations, at, bit) => {
          const entries = operations.map((each) => encodeOperation(each))
          const hit = entries[at % entries.length]
          if (hit !== undefined) hit[at % hit.length] = (hit[at % hit.length] ?? 0) ^ (1 << bit)
          const read = entries.map((bytes) => decodeOperation(bytes))
          expectSound(fold(read.flatMap((each) => (each.kind === 'operation' ? [each.operation] : []))))
        },
      ),
      { numRuns: 150 },
    )
  })

  it('too long for what it may carry is refused', () => {
    const say = { v: 1, op: 'say', id: 'x', at: 1, chat: 'chat', message: 'a', parent: null }
    expect(decodeOperation(cbor.encode({ ...say, text: 'x'.repeat(1_000_001) })).kind).toBe('corrupt')
    expect(decodeOperation(cbor.encode({ ...say, message: 'a/../b', text: 'x' })).kind).toBe('corrupt')
    expect(decodeOperation(new Uint8Array(17 * 1024 * 1024)).kind).toBe('corrupt')
  })
})

describe('the fold', () => {
  const unique = fc.uniqueArray(operation, { maxLength: 40, selector: (each) => each.id })

  it('makes the same sound tree of the same operations in any order, twice over or not', () => {
    fc.assert(
      fc.property(unique, fc.infiniteStream(fc.nat()), (operations, places) => {
        const tree = fold(operations)
        expectSound(tree)
        const shuffled = operations
          .map((each) => ({ each, place: places.next().value as number }))
          .sort((a, b) => a.place - b.place)
          .map(({ each }) => each)
        expect(fold([...shuffled, ...operations])).toEqual(tree)
      }),
      { numRuns: 200 },
    )
  })

  const random = createSeededRandom('fold')
  const [alice, bob] = ['12D3KooWAlice', '12D3KooWBob'].map((id) => asId<DeviceId>(id)) as [DeviceId, DeviceId]
  const idOf = (at: number, device: DeviceId): string => entryId(at, random, device)
  const say = (at: number, by: DeviceId, words: string, id?: MessageId): Operation => ({
    ...{ v: 1, id: idOf(at, by), at, op: 'say', chat, parent: null, text: words },
    message: id ?? asId<MessageId>(idOf(at, by)),
  })

  it('lets no device put its words under the name of a message, or its end under the answer, of another', () => {
    const question = asId<MessageId>(idOf(5, alice))
    const answer = asId<MessageId>(idOf(6, alice))
    const ended = (at: number, by: DeviceId, words: string): Operation => ({
      ...{ v: 1, id: idOf(at, by), at, op: 'end', chat, message: answer, state: 'done', text: words },
      ...{ route: undefined, figures: undefined },
    })
    const honest: Operation[] = [
      say(5, alice, 'mine', question),
      { v: 1, id: idOf(6, alice), at: 6, op: 'answer', chat, message: answer, parent: question },
      ended(9, alice, 'mine too'),
    ]
    // earlier by its own clock, and handed on as if the other had made it
    const hostile = [say(1, bob, 'forged', question), ended(2, bob, 'forged')]
    const posing = encodeOperation(say(1, alice, 'forged', question))
    const carried = decodeOperation(carriedBy(bob, honest[0] as Operation, posing))
    expect(carried.kind).toBe('operation')
    for (const order of [
      [...hostile, ...honest],
      [...honest, ...hostile],
    ]) {
      expect(pathTo(fold(order), answer).map(({ text: shown }) => shown)).toEqual(['mine', 'mine too'])
    }
    const late = carried.kind === 'operation' ? [carried.operation] : []
    expect(fold([...late, ...honest]).messages.get(question)?.text).toBe('mine')
  })

  it('takes the original in place of what another device handed on, and looks into nothing twice packed', () => {
    const made = say(5, alice, 'mine')
    const bytes = encodeOperation(made)
    const handed = decodeOperation(carriedBy(bob, made, bytes))
    const packed = handed.kind === 'operation' ? handed.operation : made
    expect(asMade(packed)).toMatchObject({ isCarried: true, operation: { text: 'mine' } })
    expect(fold([packed, made])).toEqual(fold([made]))
    const twice = decodeOperation(carriedBy(bob, packed, encodeOperation(packed)))
    expect(twice.kind === 'operation' && asMade(twice.operation)).toBe(undefined)
  })
})
