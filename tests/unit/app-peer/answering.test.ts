import { describe, expect, it } from 'vitest'
import { createAnswering, type AnsweringControl } from '../../../app/peer/answering.ts'
import {
  asId,
  createEvents,
  MeshError,
  silentLogger,
  type ChatId,
  type DeviceId,
  type MessageId,
} from '../../../mesh/base/index.ts'
import { entryId } from '../../../mesh/state/entry-id.ts'
import { chatLog } from '../../../mesh/state/keys.ts'
import { encodeOperation, OPERATION_VERSION, type Operation } from '../../../mesh/state/operations.ts'
import { createSeededRandom } from '../../kit/random.ts'
import type { Chats, MessageView } from '../../../mesh/state/index.ts'
import { settle, type VirtualClock } from '../../kit/clock.ts'
import type { MemoryStore } from '../../kit/memory-store.ts'
import { openScene, route } from '../state/scene.ts'
import { createTestMesh, end, modelId, type Asking, type TestMesh } from './test-mesh.ts'

interface Stage {
  readonly chats: Chats
  readonly store: MemoryStore
  readonly clock: VirtualClock
  readonly answering: AnsweringControl
  readonly chat: ChatId
  readonly mesh: TestMesh
  meshIs(mesh: TestMesh | undefined): void
  /** The next tab over the same store; it has not begun to take questions. */
  again(): Promise<{ readonly chats: Chats; readonly answering: AnsweringControl }>
  path(): readonly MessageView[]
  /** The last question the mesh got. */
  asked(): Asking
}

function answeringOver(chats: Chats, clock: VirtualClock, mesh: () => TestMesh | undefined): AnsweringControl {
  return createAnswering({ chats, clock, log: silentLogger, mesh, peerChanges: createEvents<void>(() => undefined) })
}

async function openStage(options: { deaf?: boolean } = {}): Promise<Stage> {
  const { chats, store, clock, again } = await openScene()
  const mesh = createTestMesh(options)
  mesh.setHelper({ state: 'ready' })
  let current: TestMesh | undefined = mesh
  const peerChanges = createEvents<void>(() => undefined)
  const answering = createAnswering({
    chats,
    clock,
    log: silentLogger,
    mesh: () => current,
    peerChanges,
  })
  answering.begin()
  const chat = await chats.create()
  return {
    chats,
    store,
    clock,
    answering,
    chat,
    mesh,
    meshIs(next) {
      current = next
      peerChanges.emit()
    },
    async again() {
      const next = await again()
      return { chats: next, answering: answeringOver(next, clock, () => current) }
    },
    path: () => chats.get(chat)?.path ?? [],
    asked() {
      const last = mesh.asked.at(-1)
      if (last === undefined) throw new MeshError('bug', 'Nothing was asked.')
      return last
    },
  }
}

describe('an answer', () => {
  it('is written as it comes, with route, phases, speed and figures', async () => {
    const { answering, chat, clock, path, asked } = await openStage()
    const { answer } = await answering.send(chat, 'How far is the moon?')
    await settle()
    expect(asked().request.messages).toEqual([{ role: 'user', content: 'How far is the moon?' }])
    asked().say({ type: 'route', route })
    asked().say({ type: 'phase', phase: 'queued', ahead: 2 })
    await settle()
    expect(answering.live(answer)).toMatchObject({ phase: 'queued', ahead: 2, route })
    asked().say({ type: 'phase', phase: 'reading', fraction: 0.4 })
    await clock.advanceAsync(300)
    expect(answering.live(answer)).toMatchObject({ phase: 'reading', fraction: 0.4, phaseMs: 300, tokens: 0 })
    asked().say({ type: 'text', text: 'Far', tokenCount: 1 })
    await clock.advanceAsync(100)
    asked().say({ type: 'text', text: ' away', tokenCount: 2 })
    await settle()
    expect(answering.live(answer)).toMatchObject({ phase: 'writing', tokens: 3, tokensPerSecond: 20 })
    expect(path()[1]).toMatchObject({ text: 'Far away', state: 'streaming' })
    asked().say(end)
    await settle()
    expect(answering.live(answer)).toBeUndefined()
    expect(path()[1]).toMatchObject({
      state: 'done',
      text: 'Far away',
      figures: { firstTokenMs: 300, tokensPerSecond: 20, bytesSent: 230 },
    })
    await clock.advanceAsync(5_000)
    expect(clock.pending).toBe(0)
  })

  it('is asked with the branch that is shown, and none of the others', async () => {
    const { answering, chat, path, asked } = await openStage()
    const first = await answering.send(chat, 'one')
    await settle()
    asked().say({ type: 'text', text: 'answer one', tokenCount: 1 })
    asked().say(end)
    await settle()
    await answering.edit(chat, first.question, 'one, edited')
    await settle()
    expect(asked().request.messages.map(({ content }) => content)).toEqual(['one, edited'])
    asked().say({ type: 'text', text: 'answer two', tokenCount: 1 })
    asked().say(end)
    await settle()
    await answering.send(chat, 'three')
    await settle()
    expect(asked().request.messages).toEqual([
      { role: 'user', content: 'one, edited' },
      { role: 'assistant', content: 'answer two' },
      { role: 'user', content: 'three' },
    ])
    expect(path()[0]?.siblings).toHaveLength(2)
  })

  it('is told nothing that came late of a removed device, until somebody chose to go on from it', async () => {
    const { answering, chats, chat, store, path, asked } = await openStage()
    const { question } = await answering.send(chat, 'one')
    await settle()
    asked().say({ type: 'text', text: 'two', tokenCount: 1 })
    asked().say(end)
    await settle()
    const phone = asId<DeviceId>('phone')
    const [late, below] = [1, 2].map((at) => entryId(at, createSeededRandom(at), phone) as MessageId)
    const shared = { v: OPERATION_VERSION, chat, at: 3, order: 1e15 } as const
    const entries: Operation[] = [
      { ...shared, id: 'note', op: 'late', of: [String(late)], isLate: true },
      { ...shared, id: String(late), op: 'say', message: late as MessageId, parent: null, text: 'of a thief' },
      // what it had signed before it was removed, below what only it knew of
      {
        ...shared,
        id: String(below),
        op: 'say',
        message: below as MessageId,
        parent: late as MessageId,
        text: 'in time',
      },
    ]
    await store.append(chatLog(chat), entries.map(encodeOperation))
    await chats.refresh()
    expect(chats.get(chat)?.aside?.map(({ messages }) => messages.map(({ text }) => text))).toEqual([['of a thief']])
    await answering.send(chat, 'go on')
    await settle()
    expect(asked().request.messages.map(({ content }) => content)).toEqual(['in time', 'go on'])
    asked().say(end)
    await settle()
    await chats.showBranch(chat, question)
    expect(path().map(({ text }) => text)).toEqual(['one', 'two'])
    await chats.showBranch(chat, late as MessageId)
    await answering.send(chat, 'why?')
    await settle()
    expect(asked().request.messages.map(({ content }) => content)).toContain('of a thief')
  })

  it('uses the model of the chat, or the one asked for', async () => {
    const { answering, chats, chat, mesh, asked } = await openStage()
    await chats.chooseModel(chat, route.model)
    await answering.send(chat, 'one')
    await settle()
    expect(asked().request.model).toBe(route.model)
    asked().say(end)
    await settle()
    const { answer } = await answering.send(chat, 'two', { model: modelId('another') })
    await settle()
    expect(mesh.asked).toHaveLength(1)
    expect(answering.live(answer)).toMatchObject({ phase: 'waiting', waitsFor: 'model' })
  })
})

describe('a question sent before anything can answer', () => {
  it('waits and says for what, and is asked by itself', async () => {
    const { answering, chat, clock, mesh, meshIs } = await openStage()
    mesh.setHelper(undefined)
    meshIs(undefined)
    const { answer } = await answering.send(chat, 'one')
    await settle()
    expect(answering.live(answer)).toMatchObject({ phase: 'waiting', waitsFor: 'peer' })
    meshIs(mesh)
    await settle()
    expect(answering.live(answer)).toMatchObject({ phase: 'waiting', waitsFor: 'device' })
    mesh.setHelper({ state: 'downloading', receivedBytes: 25 })
    await settle()
    expect(answering.live(answer)).toMatchObject({ phase: 'waiting', waitsFor: 'model', fraction: 0.25 })
    await clock.advanceAsync(60_000)
    expect(answering.live(answer)?.elapsedMs).toBe(60_000)
    mesh.setHelper({ state: 'available' })
    await settle()
    expect(mesh.asked).toHaveLength(1)
  })

  it('can be stopped while it waits', async () => {
    const { answering, chat, mesh, path } = await openStage()
    mesh.setHelper(undefined)
    const { answer } = await answering.send(chat, 'one')
    await settle()
    answering.stop(answer)
    await settle()
    expect(path()[1]?.state).toBe('stopped')
  })

  it('is left open for the next tab when the peer moves, and gone on with there', async () => {
    const { answering, chat, mesh, chats, path, again, clock } = await openStage()
    mesh.setHelper(undefined)
    const { answer, question } = await answering.send(chat, 'one')
    await answering.handOver({ code: 'aborted', message: 'It moved.' })
    expect(answering.live(answer)).toBeUndefined()
    await expect(answering.send(chat, 'two')).rejects.toMatchObject({ code: 'peer-gone', retryable: true })
    const next = await again()
    const unbegun = await next.chats.closeAbandoned({ spareUnbegun: true })
    expect(unbegun).toEqual([{ chat, question, message: answer }])
    next.answering.begin()
    await next.answering.resume({ chat, question, message: answer }, modelId('small'))
    expect(next.answering.live(answer)).toMatchObject({ phase: 'waiting', model: 'small' })
    next.answering.stop(answer)
    await clock.advanceAsync(2_000)
    await chats.refresh()
    expect(path()[1]).toMatchObject({ id: answer, state: 'stopped' })
  })

  it('waits again when the page left before a word had come, and came back', async () => {
    const { answering, chat, mesh, asked } = await openStage()
    const { answer } = await answering.send(chat, 'one')
    await settle()
    const first = asked()
    await answering.interrupt({ code: 'aborted', message: 'The page was closed.' })
    await settle()
    expect(first.signal.aborted).toBe(true)
    expect(mesh.asked).toHaveLength(2)
    expect(answering.live(answer)).toBeDefined()
    asked().say({ type: 'text', text: 'Here', tokenCount: 1 })
    asked().say(end)
    await settle()
    expect(answering.live(answer)).toBeUndefined()
  })

  it('is one question under one name, however often it is sent', async () => {
    const { answering, chat, mesh, path } = await openStage()
    const ids = { question: asId<MessageId>('question'), answer: asId<MessageId>('answer') }
    const first = await answering.send(chat, 'one', { ids })
    expect(await answering.send(chat, 'one', { ids })).toEqual(first)
    await settle()
    expect(path().map(({ id }) => id)).toEqual(['question', 'answer'])
    expect(mesh.asked).toHaveLength(1)
  })
})

describe('stop', () => {
  it('keeps the text and leaves the engine, without waiting for a device that is deaf', async () => {
    const { answering, chat, clock, path, asked } = await openStage({ deaf: true })
    const { answer } = await answering.send(chat, 'one')
    await settle()
    asked().say({ type: 'text', text: 'Half a', tokenCount: 2 })
    await settle()
    const before = clock.monotonic()
    answering.stop(answer)
    await settle()
    expect(clock.monotonic() - before).toBeLessThan(200)
    expect(path()[1]).toMatchObject({ state: 'stopped', text: 'Half a' })
    expect(asked().signal.aborted).toBe(true)
    expect(answering.live(answer)).toBeUndefined()
    answering.stop(answer)
  })
})

describe('a failure', () => {
  it('keeps the text and names its code', async () => {
    const { answering, chat, path, asked } = await openStage()
    await answering.send(chat, 'one')
    await settle()
    asked().say({ type: 'text', text: 'Half', tokenCount: 1 })
    asked().fail(new MeshError('peer-gone', 'The device went away.'))
    await settle()
    expect(path()[1]).toMatchObject({
      state: 'failed',
      text: 'Half',
      error: { code: 'peer-gone', message: 'The device went away.' },
    })
  })

  it('of an answer asked again brings back the earlier one when no word of it came', async () => {
    const { answering, chat, path, asked } = await openStage()
    const { answer } = await answering.send(chat, 'one')
    await settle()
    asked().say({ type: 'text', text: 'good', tokenCount: 1 })
    asked().say(end)
    await settle()
    const again = await answering.regenerate(chat, answer)
    await settle()
    expect(path()[1]).toMatchObject({ id: again, state: 'waiting' })
    asked().fail(new MeshError('engine-lost', 'The engine stopped.'))
    await settle()
    expect(path()[1]).toMatchObject({ id: answer, text: 'good', siblings: [answer, again] })
  })

  it('to store the question asks nothing and leaves the text with the person; sending it again makes no second one', async () => {
    const { answering, chat, store, mesh, path } = await openStage()
    for (const atWrite of [1, 2]) {
      store.failWrites({ code: 'storage-full', atWrite })
      await expect(answering.send(chat, 'one')).rejects.toMatchObject({ code: 'storage-full' })
    }
    expect(mesh.asked).toHaveLength(0)
    await answering.send(chat, 'one')
    await settle()
    expect(path().map(({ author }) => author)).toEqual(['person', 'ai'])
    expect(path()[0]?.siblings).toHaveLength(1)
    expect(mesh.asked).toHaveLength(1)
  })
})

describe('one chat', () => {
  it('has one answer on its way at a time; others are free', async () => {
    const { answering, chats, chat } = await openStage()
    const both = await Promise.allSettled([answering.send(chat, 'one'), answering.send(chat, 'two')])
    expect(both.map(({ status }) => status)).toEqual(['fulfilled', 'rejected'])
    const other = await chats.create()
    await answering.send(other, 'three')
    expect(answering.liveIn(other)).toBeDefined()
  })
})

describe('an interruption', () => {
  it('ends every answer as failed with its text stored, also when the device does not listen', async () => {
    const { answering, chats, chat, asked, path, clock, store } = await openStage({ deaf: true })
    await answering.send(chat, 'one')
    await settle()
    asked().say({ type: 'text', text: 'Half', tokenCount: 1 })
    await settle()
    const writes = store.writeCount
    await answering.interrupt({ code: 'aborted', message: 'The page was closed.' })
    expect(store.writeCount).toBeGreaterThan(writes)
    expect(path()[1]).toMatchObject({
      state: 'failed',
      text: 'Half',
      error: { code: 'aborted', message: 'The page was closed.' },
    })
    await clock.advanceAsync(5_000)
    expect(clock.pending).toBe(0)
    expect(chats.list()).toHaveLength(1)
  })
})
