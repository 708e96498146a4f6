import { expect, test } from 'vitest'
import { asId, type ChatId, type MessageId } from '../base/index.ts'
import { createChatOperations } from './chat-operations.ts'
import type { Operation } from './operations.ts'
import { foldChat, type ChatTree } from './tree.ts'

const chat = asId<ChatId>('chat')
const MANY = 6_000
const named = (number: number): MessageId => asId<MessageId>(`m${String(number).padStart(8, '0')}`)
const base = (number: number) => ({ v: 1, id: `o${String(number).padStart(8, '0')}`, at: number, chat }) as const

function foldMany(make: (number: number) => Operation): { tree: ChatTree; tookMs: number } {
  const operations = createChatOperations()
  for (let number = 0; number < MANY; number++)
    operations.add({ operation: make(number), by: 'a device', isCarried: false })
  const startedAt = performance.now()
  const tree = foldChat(chat, 0, operations.inOrder())
  return { tree, tookMs: performance.now() - startedAt }
}

// whoever took one device over may fill a chat as far as it goes: every other page still starts
test.each<[string, (number: number) => Operation]>([
  ['ends of one answer', (number) => ({ ...base(number), op: 'end', message: named(0), state: 'done', text: '', route: undefined, figures: undefined, error: undefined })], // prettier-ignore
  ['messages after ones that never come', (number) => ({ ...base(number), op: 'say', message: named(number), parent: asId<MessageId>(`p${String(number)}`), text: 'x' })], // prettier-ignore
  ['answers to questions that never come', (number) => ({ ...base(number), op: 'answer', message: named(number), parent: asId<MessageId>(`p${String(number)}`) })], // prettier-ignore
])('%s are folded in a time that grows with their number', (_what, make) => {
  const { tree, tookMs } = foldMany(make)
  expect(tree.messages.has(named(0))).toBe(true)
  // with its square, this takes longer than any page may
  expect(tookMs).toBeLessThan(4_000)
})

test('stand-ins alternate with what follows them', () => {
  const { tree } = foldMany((number) => ({ ...base(number), op: 'say', message: named(number), parent: asId<MessageId>(`p${String(number)}`), text: 'x' })) // prettier-ignore
  const [first] = tree.roots
  expect(tree.roots).toHaveLength(1)
  expect(tree.messages.get(first as MessageId)).toMatchObject({ author: 'ai', missing: true, parent: null })
  expect(tree.messages.get(asId<MessageId>('p1'))).toMatchObject({ author: 'ai', missing: true, parent: named(0) })
  expect(tree.messages.size).toBe(2 * MANY)
})
