import * as cbor from '@ipld/dag-cbor'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { asId, type ChatId, type MessageId } from '../base/index.ts'
import { decodeOperation, encodeOperation, type Operation } from './operations.ts'
import { applyOperation, emptyTree, pathTo, siblingsOf, type ChatTree } from './tree.ts'

const chat = asId<ChatId>('chat')
const message = fc.constantFrom('a', 'b', 'c', 'd', 'e').map((id) => asId<MessageId>(id))
const base = { v: fc.constant(1 as const), id: fc.constant('x'), at: fc.nat(), chat: fc.constant(chat) }
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
          const tree = emptyTree(chat, 0)
          for (const bytes of entries) {
            const decoded = decodeOperation(bytes)
            if (decoded.kind === 'operation') applyOperation(tree, decoded.operation)
          }
          expectSound(tree)
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
  it('makes a sound tree of any operations in any order, twice over or not', () => {
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 40 }), (operations) => {
        const once = emptyTree(chat, 0)
        const twice = emptyTree(chat, 0)
        for (const each of operations) {
          applyOperation(once, each)
          expectSound(once)
          applyOperation(twice, each)
          applyOperation(twice, each)
        }
        expect([...twice.messages]).toEqual([...once.messages])
      }),
      { numRuns: 150 },
    )
  })
})
