import { expect, test } from 'vitest'
import { createSeededRandom } from '../../tests/kit/random.ts'
import { asId, randomInt, type ChatId, type DeviceId, type MessageId, type Random } from '../base/index.ts'
import { createChatOperations, type ChatOperation } from './chat-operations.ts'
import { entryId, markOf } from './entry-id.ts'
import type { Operation } from './operations.ts'
import { foldChat, pathTo, type ChatTree } from './tree.ts'
import { chatView } from './views.ts'

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

const phone = asId<DeviceId>('phone')
const laptop = asId<DeviceId>('laptop')

/** A history of one device: words at any place below its own and those of `others`, its ends, names and views. */
function historyOf(device: DeviceId, random: Random, others: readonly ChatOperation[]): ChatOperation[] {
  const pick = (count: number): number => randomInt(random, count)
  const messages = others.flatMap(({ operation }) => ('message' in operation ? [operation.message] : []))
  return Array.from({ length: 2 + pick(10) }, () => {
    const id = entryId(1_000 + pick(9_000), random, device)
    const known = (): MessageId => messages[pick(messages.length)] ?? (id as MessageId)
    const parent = pick(3) === 0 || messages.length === 0 ? null : known()
    const shared = { v: 1, id, at: 1_000 + pick(9_000), order: pick(9_000), chat } as const
    const end = { state: 'done', text: 'z', route: undefined, figures: undefined, error: undefined } as const
    const choices: Operation[] = [
      { ...shared, op: 'say', message: id as MessageId, parent, text: id },
      { ...shared, op: 'say', message: id as MessageId, parent, text: id },
      { ...shared, op: 'answer', message: id as MessageId, parent: known() },
      { ...shared, op: 'title', title: id },
      { ...shared, op: 'show', message: known() },
      { ...shared, op: 'end', message: entryId(2_000, random, device) as MessageId, ...end },
    ]
    const operation = choices[pick(choices.length)] as Operation
    if (operation.op === 'say' || operation.op === 'answer') messages.push(operation.message)
    return { operation, by: markOf(device), isCarried: false }
  })
}

function viewOf(tree: ChatTree) {
  const { aside, ...view } = chatView(tree, () => ({ text: '', state: 'waiting', route: undefined }))
  return { ...view, path: view.path.map(({ id, text }) => [id, text]) }
}

test('whatever a device may have said late, the view, the name and the time of a chat stay as they were', () => {
  for (let seed = 0; seed < 120; seed++) {
    const random = createSeededRandom(`late ${String(seed)}`)
    const made = { operation: { ...base(0), op: 'chat' } as Operation, by: markOf(laptop), isCarried: false }
    const honest = [made, ...historyOf(laptop, random, [])]
    const late = historyOf(phone, random, honest)
    const shown = (all: readonly ChatOperation[], isLate: boolean) => {
      const operations = createChatOperations()
      if (isLate) operations.setLate({ ...base(1), op: 'late', of: late.map((one) => one.operation.id), isLate })
      for (const one of all) operations.add(one)
      const tree = foldChat(chat, 0, operations.inOrder())
      return { tree, view: viewOf(tree) }
    }
    const before = shown(honest, true)
    const after = shown([...honest, ...late], true)
    expect(after.view, `seed ${String(seed)}`).toEqual(before.view)
    for (const { operation } of late)
      if (operation.op === 'say') expect(after.tree.messages.get(operation.message)?.isAside).toBe(true)
  }
})

test('whatever was signed in time around late words, none of them is in view before somebody shows it', () => {
  for (let seed = 0; seed < 120; seed++) {
    const random = createSeededRandom(`around late ${String(seed)}`)
    const made = { operation: { ...base(0), op: 'chat' } as Operation, by: markOf(laptop), isCarried: false }
    const honest = [made, ...historyOf(laptop, random, [])]
    const late = historyOf(phone, random, honest)
    // it may have named then what it would say later; what shows that counts as late itself
    const around = historyOf(phone, random, late).filter(({ operation }) => operation.op !== 'show')
    const words = late.flatMap(({ operation }) => (operation.op === 'say' ? [operation.message] : []))
    const foldWith = (some: readonly ChatOperation[]): ChatTree => {
      const operations = createChatOperations()
      operations.setLate({ ...base(1), op: 'late', of: late.map((one) => one.operation.id), isLate: true })
      for (const one of [...honest, ...late, ...around, ...some]) operations.add(one)
      return foldChat(chat, 0, operations.inOrder())
    }
    const idsIn = (tree: ChatTree): MessageId[] => pathTo(tree, tree.leaf).map(({ id }) => id)
    const tree = foldWith([])
    expect(idsIn(tree).filter((id) => words.includes(id))).toEqual([])
    const chosen = words.at(-1)
    if (chosen === undefined) continue
    const id = entryId(9_999_999, random, laptop)
    const show: Operation = { ...base(9_999_999), order: 99_999, id, op: 'show', message: chosen }
    expect(idsIn(foldWith([{ operation: show, by: markOf(laptop), isCarried: false }]))).toContain(chosen)
  }
})

test('a chat that came late whole is named by its first words, and shows them to who asks', () => {
  const random = createSeededRandom('all late')
  const message = entryId(2, random, phone) as MessageId
  const all = createChatOperations()
  all.setLate({ ...base(1), op: 'late', of: ['', String(message)], isLate: true })
  for (const operation of [
    { ...base(0), op: 'chat' },
    { ...base(2), id: String(message), op: 'say', message, parent: null, text: 'words' },
  ] satisfies Operation[])
    all.add({ operation, by: markOf(phone), isCarried: false })
  const tree = foldChat(chat, 0, all.inOrder())
  const view = chatView(tree, () => ({ text: '', state: 'waiting', route: undefined }))
  expect(view).toMatchObject({ title: 'words', path: [], aside: [{ below: null, messages: [{ text: 'words' }] }] })
})
