import fc from 'fast-check'
import { expect, it } from 'vitest'
import { isMeshError, type ChatId, type MessageId } from '../../../mesh/base/index.ts'
import type { Chats, MessageView } from '../../../mesh/state/index.ts'
import { createMemoryStore } from '../../kit/memory-store.ts'
import { figures, openScene } from './scene.ts'

/** A message as a person would remember it. */
interface Remembered {
  readonly id: MessageId
  readonly parent: MessageId | null
  readonly author: 'person' | 'ai'
  readonly text: string
}

/** What a chat should be: messages in the order they were made, and which one ends the branch in view. */
interface Model {
  readonly chat: ChatId
  readonly messages: Remembered[]
  leaf: MessageId | null
}

const step = fc.record({
  what: fc.constantFrom('ask', 'ask', 'regenerate', 'edit', 'switch', 'delete', 'reload', 'new', 'tab'),
  at: fc.nat({ max: 40 }),
  text: fc.string({ minLength: 1, maxLength: 8, unit: 'grapheme' }).filter((text) => text.trim() !== ''),
})
type Step = typeof step extends fc.Arbitrary<infer Value> ? Value : never

async function answer(chats: Chats, model: Model, question: MessageId, text: string): Promise<void> {
  const writer = await chats.addAnswer(model.chat, question)
  writer.append(text)
  await writer.finish({ state: 'done', figures })
  model.messages.push({ id: writer.id, parent: question, author: 'ai', text })
  model.leaf = writer.id
}

async function say(chats: Chats, model: Model, parent: MessageId | null, text: string): Promise<void> {
  const id = await chats.addPersonMessage(model.chat, parent, text)
  model.messages.push({ id, parent, author: 'person', text })
  model.leaf = id
  await answer(chats, model, id, `re: ${text}`)
}

/** One thing a person does, to the chats and to the model alike. */
async function act(chats: Chats, model: Model, { what, at, text }: Step): Promise<void> {
  const chosen = model.messages[at % Math.max(1, model.messages.length)]
  if (what === 'ask' || chosen === undefined) await say(chats, model, model.leaf, text)
  else if (what === 'regenerate') {
    const question = chosen.author === 'person' ? chosen.id : chosen.parent
    if (question !== null) await answer(chats, model, question, text)
  } else if (what === 'edit') {
    if (chosen.author === 'person') await say(chats, model, chosen.parent, text)
  } else if (what === 'switch') {
    await chats.showBranch(model.chat, chosen.id)
    model.leaf = youngestBelow(model, chosen.id)
  }
}

function youngestBelow(model: Model, from: MessageId): MessageId {
  const below = new Set([from])
  for (const message of model.messages) if (message.parent !== null && below.has(message.parent)) below.add(message.id)
  return model.messages.findLast(({ id }) => below.has(id))?.id ?? from
}

function pathOf(model: Model): Remembered[] {
  const path: Remembered[] = []
  for (let id = model.leaf; id !== null;) {
    const message = model.messages.find((each) => each.id === id)
    if (message === undefined) break
    path.unshift(message)
    id = message.parent
  }
  return path
}

function expectSame(chats: Chats, model: Model): void {
  const view = chats.get(model.chat)
  const shown = (view?.path ?? []).map(({ id, parent, author, text }) => ({ id, parent, author, text }))
  expect(shown).toEqual(pathOf(model))
  for (const message of view?.path ?? []) {
    const siblings = model.messages.filter(
      ({ parent, author }) => parent === message.parent && author === message.author,
    )
    expect(message.siblings).toEqual(siblings.map(({ id }) => id))
    expect(message.state).toBe('done')
  }
  // nothing is lost, whatever branch is in view
  const all = JSON.parse(chats.export(model.chat, 'json')) as { messages: MessageView[] }
  expect(all.messages.map(({ id, text }) => [id, text])).toEqual(model.messages.map(({ id, text }) => [id, text]))
}

it('a chat is what a person did to it, through edits, regeneration, branches, deletion, reloads and a second tab', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
      const scene = await openScene()
      let { chats } = scene
      const models: Model[] = [{ chat: await chats.create(), messages: [], leaf: null }]
      let other: Chats | undefined
      for (const each of steps) {
        const model = models[each.at % Math.max(1, models.length)]
        if (each.what === 'new' || model === undefined)
          models.push({ chat: await chats.create(), messages: [], leaf: null })
        else if (each.what === 'delete' && each.at % 5 === 0) {
          await chats.delete(model.chat)
          models.splice(models.indexOf(model), 1)
        } else if (each.what === 'reload') {
          chats = await scene.again()
          await chats.closeAbandoned()
        } else if (each.what === 'tab') {
          // another tab does the next thing
          other ??= await scene.again({ othersMayWrite: () => true })
          await other.refresh()
          const before = other
          other = chats
          chats = before
        } else await act(chats, model, each)
        scene.clock.advance(7)
      }
      for (const tab of [chats, await scene.again()]) {
        expect(new Set(tab.list().map(({ id }) => id))).toEqual(new Set(models.map(({ chat }) => chat)))
        for (const model of models) expectSame(tab, model)
      }
    }),
    { numRuns: 50 },
  )
})

it('whatever write fails, live state and a reload agree, and what was acknowledged is in both', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 1, maxLength: 12 }),
      fc.nat({ max: 40 }),
      fc.boolean(),
      async (steps, atWrite, torn) => {
        const store = createMemoryStore()
        const scene = await openScene({ store })
        const { chats, clock } = scene
        const model: Model = { chat: await chats.create(), messages: [], leaf: null }
        store.failWrites({ code: 'storage-failed', atWrite: atWrite + 1, torn })
        for (const each of steps) {
          try {
            await act(chats, model, each)
          } catch (error) {
            expect(isMeshError(error, 'storage-failed')).toBe(true)
            // the model does not know what half was done; begin again from what the chat shows
            model.leaf = chats.get(model.chat)?.path.at(-1)?.id ?? null
          }
        }
        // what could not be stored at the first try is tried again
        await clock.advanceAsync(300_000)
        const read = await scene.again()
        expect(read.get(model.chat)).toEqual(chats.get(model.chat))
        const stored = new Map(
          (JSON.parse(read.export(model.chat, 'json')) as { messages: MessageView[] }).messages.map((message) => [
            message.id,
            message.text,
          ]),
        )
        for (const message of model.messages) expect(stored.get(message.id)).toBe(message.text)
      },
    ),
    { numRuns: 50 },
  )
})
