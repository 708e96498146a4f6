import { describe, expect, it } from 'vitest'
import { asId, isMeshError, type ChatId, type MessageId, type ModelId } from '../../../mesh/base/index.ts'
import { settle } from '../../kit/clock.ts'
import { figures, openScene, route } from './scene.ts'

const texts = (path: readonly { text: string }[]): string[] => path.map((message) => message.text)

describe('a chat', () => {
  it('is there after a reload, word for word', async () => {
    const { chats, again } = await openScene()
    const chat = await chats.create()
    const question = await chats.addPersonMessage(chat, null, 'How far is the moon? In kilometres.')
    const answer = await chats.addAnswer(chat, question)
    answer.route(route)
    answer.append('About ')
    answer.append('384,400 km.')
    await answer.finish({ state: 'done', figures })
    const live = chats.get(chat)
    expect(texts(live?.path ?? [])).toEqual(['How far is the moon? In kilometres.', 'About 384,400 km.'])
    expect(live?.title).toBe('How far is the moon?')
    expect((await again()).get(chat)).toEqual(live)
    expect((await again()).list()).toEqual(chats.list())
  })

  it('keeps the earlier branch when a question is edited, and counts both', async () => {
    const { chats, clock } = await openScene()
    const chat = await chats.create()
    const first = await chats.addPersonMessage(chat, null, 'one')
    const answer = await chats.addAnswer(chat, first)
    await answer.finish({ state: 'stopped' })
    const follow = await chats.addPersonMessage(chat, answer.id, 'two')
    clock.advance(10)
    const edited = await chats.addPersonMessage(chat, answer.id, 'two, said better')
    expect(texts(chats.get(chat)?.path ?? [])).toEqual(['one', '', 'two, said better'])
    expect(chats.get(chat)?.path[2]?.siblings).toEqual([follow, edited])
    expect(chats.get(chat)?.path[0]?.siblings).toEqual([first])
    await chats.showBranch(chat, follow)
    expect(texts(chats.get(chat)?.path ?? [])).toEqual(['one', '', 'two'])
  })

  it('counts a regenerated answer beside the answers only, not beside the questions', async () => {
    const { chats } = await openScene()
    const chat = await chats.create()
    const question = await chats.addPersonMessage(chat, null, 'one')
    const a = await chats.addAnswer(chat, question)
    await a.finish({ state: 'stopped' })
    // a person may go on below a question whose answer never came
    const aside = await chats.addPersonMessage(chat, question, 'and then?')
    const b = await chats.addAnswer(chat, question)
    await b.finish({ state: 'stopped' })
    expect(chats.get(chat)?.path.at(-1)?.siblings).toEqual([a.id, b.id])
    await chats.showBranch(chat, aside)
    expect(chats.get(chat)?.path.at(-1)?.siblings).toEqual([aside])
  })

  it('that was deleted leaves neither its text nor a draft in the store', async () => {
    const { chats, store, again } = await openScene()
    const chat = await chats.create()
    const question = await chats.addPersonMessage(chat, null, 'a secret')
    const answer = await chats.addAnswer(chat, question)
    answer.append('kept secret')
    await chats.delete(chat)
    await settle()
    expect(chats.list()).toEqual([])
    const reopened = await again()
    await reopened.closeAbandoned()
    expect(reopened.list()).toEqual([])
    // what stays says that it was deleted, and nothing of what it held
    expect(store.data.logs.size).toBe(0)
    expect([...store.data.records.keys()]).toEqual([`chats/chat/${chat}`])
    expect(Buffer.from([...store.data.records.values()][0] ?? []).includes('secret')).toBe(false)
  })

  it('keeps the title and the model a person chose', async () => {
    const { chats, again } = await openScene()
    const chat = await chats.create()
    await chats.addPersonMessage(chat, null, 'hello')
    await chats.rename(chat, '  Moon  ')
    await chats.chooseModel(chat, asId<ModelId>('m'))
    expect(chats.get(chat)).toMatchObject({ title: 'Moon', model: 'm' })
    await chats.chooseModel(chat, undefined)
    const read = (await again()).get(chat)
    expect(read?.title).toBe('Moon')
    expect(read?.model).toBeUndefined()
  })

  it('refuses empty text, unknown chats and unknown messages with a sentence', async () => {
    const { chats } = await openScene()
    const chat = await chats.create()
    const unknown = asId<MessageId>('nothing')
    await expect(chats.addPersonMessage(chat, null, ' \n')).rejects.toMatchObject({ code: 'usage' })
    await expect(chats.addPersonMessage(chat, unknown, 'x')).rejects.toMatchObject({ code: 'usage' })
    await expect(chats.addAnswer(chat, unknown)).rejects.toMatchObject({ code: 'usage' })
    await expect(chats.rename(asId<ChatId>('nothing'), 'x')).rejects.toMatchObject({ code: 'usage' })
    await expect(chats.addPersonMessage(chat, null, 'x'.repeat(1_000_001))).rejects.toMatchObject({ code: 'too-large' })
    expect(chats.get(chat)?.path).toEqual([])
  })

  it('exports the branch shown as Markdown and every branch as JSON', async () => {
    const { chats } = await openScene()
    const chat = await chats.create()
    const question = await chats.addPersonMessage(chat, null, 'one')
    for (const text of ['first', 'second']) {
      const answer = await chats.addAnswer(chat, question)
      answer.route(route)
      answer.append(text)
      await answer.finish({ state: 'done', figures })
    }
    const markdown = chats.export(chat, 'markdown')
    expect(markdown).toContain('# one')
    expect(markdown).toContain('Laptop · smollm2-135m')
    expect(markdown).toContain('second')
    expect(markdown).not.toContain('first')
    const json = JSON.parse(chats.export(chat, 'json')) as { messages: { text: string }[] }
    expect(texts(json.messages)).toEqual(['one', 'first', 'second'])
  })
})

describe('an answer that is being written', () => {
  it('is visible at once, and durable within 500 ms', async () => {
    const { chats, clock, again } = await openScene()
    const chat = await chats.create()
    const question = await chats.addPersonMessage(chat, null, 'one')
    const answer = await chats.addAnswer(chat, question)
    expect(chats.get(chat)?.path[1]?.state).toBe('waiting')
    answer.append('Once upon')
    expect(chats.get(chat)?.path[1]).toMatchObject({ state: 'streaming', text: 'Once upon' })
    answer.append(' a time')
    await clock.advanceAsync(500)
    expect((await again()).get(chat)?.path[1]?.text).toBe('Once upon a time')
  })

  it('reads as failed with its text kept when its page was closed', async () => {
    const { chats, clock, again } = await openScene()
    const chat = await chats.create()
    const question = await chats.addPersonMessage(chat, null, 'one')
    const answer = await chats.addAnswer(chat, question)
    answer.route(route)
    answer.append('x'.repeat(40_000))
    await clock.advanceAsync(500)
    answer.append('the end of it')
    await clock.advanceAsync(500)
    const after = await again()
    const expected = {
      state: 'failed',
      text: `${'x'.repeat(40_000)}the end of it`,
      error: { code: 'aborted' },
      route: { deviceName: 'Laptop' },
    }
    expect(after.get(chat)?.path[1]).toMatchObject(expected)
    await after.closeAbandoned()
    expect(after.get(chat)?.path[1]).toMatchObject(expected)
    expect((await again({ othersMayWrite: () => true })).get(chat)?.path[1]).toMatchObject(expected)
  })

  it('is seen growing by another tab, which does not take it for failed', async () => {
    const { chats, clock, again } = await openScene()
    const chat = await chats.create()
    const question = await chats.addPersonMessage(chat, null, 'one')
    const other = await again({ othersMayWrite: () => true })
    const answer = await chats.addAnswer(chat, question)
    await other.refresh({ chat })
    expect(other.get(chat)?.path[1]?.state).toBe('waiting')
    answer.append('Once')
    await clock.advanceAsync(500)
    await other.refresh({ chat })
    expect(other.get(chat)?.path[1]).toMatchObject({ state: 'streaming', text: 'Once' })
    await answer.finish({ state: 'done', figures })
    await other.refresh()
    expect(other.get(chat)?.path[1]).toMatchObject({ state: 'done', text: 'Once', figures })
    expect(other.get(chat)).toEqual(chats.get(chat))
  })

  it('leaves no draft behind once it ended, and a long one is never rewritten whole', async () => {
    const { chats, clock, store } = await openScene()
    const chat = await chats.create()
    const question = await chats.addPersonMessage(chat, null, 'one')
    const answer = await chats.addAnswer(chat, question)
    for (let round = 0; round < 40; round++) {
      answer.append('y'.repeat(10_000))
      await clock.advanceAsync(500)
    }
    const drafts = [...store.data.records].filter(([key]) => key.startsWith('chats/draft/'))
    expect(Math.max(...drafts.map(([, value]) => value.length))).toBeLessThan(30_000)
    await answer.finish({ state: 'done', figures })
    expect([...store.data.records.keys()].filter((key) => key.startsWith('chats/draft/'))).toEqual([])
    expect(clock.pending).toBe(0)
  })
})

describe('what is added under a name', () => {
  const name = <Id extends ChatId | MessageId>(text: string): Id => asId<Id>(text)

  it('is added once, however often it is asked for', async () => {
    const { chats, store, again } = await openScene()
    const id = name<ChatId>('chat')
    expect([await chats.create({ id }), await chats.create({ id })]).toEqual([id, id])
    const one = { id: name<MessageId>('one') }
    await chats.addPersonMessage(id, null, 'one', one)
    const writes = store.writeCount
    // also by a page that did not see it happen
    const other = await again()
    expect(await other.addPersonMessage(id, null, 'one', one)).toBe('one')
    expect(store.writeCount).toBe(writes)
    expect(other.get(id)?.path.map((message) => message.id)).toEqual(['one'])
  })

  it('is gone on with when it is an open answer that nobody writes, and else refused', async () => {
    const { chats, again } = await openScene()
    const chat = await chats.create()
    const question = await chats.addPersonMessage(chat, null, 'one')
    const answer = { id: name<MessageId>('answer') }
    await chats.addAnswer(chat, question, answer)
    await expect(chats.addAnswer(chat, question, answer)).rejects.toMatchObject({ code: 'conflict' })
    const other = await again()
    const writer = await other.addAnswer(chat, question, answer)
    writer.append('Here')
    await writer.finish({ state: 'done', figures })
    expect(other.get(chat)?.path[1]).toMatchObject({ id: 'answer', text: 'Here', siblings: ['answer'] })
    await expect(other.addAnswer(chat, question, answer)).rejects.toMatchObject({ code: 'conflict' })
  })

  it('shows its branch from the first message on, also where another one is in view', async () => {
    const { chats } = await openScene()
    const chat = await chats.create()
    const one = await chats.addPersonMessage(chat, null, 'one')
    await chats.addPersonMessage(chat, null, 'two')
    expect(chats.branch(chat, one)?.map(({ text }) => text)).toEqual(['one'])
    expect(chats.branch(chat, name<MessageId>('nothing'))).toBeUndefined()
  })
})

describe('an answer that another tab takes over', () => {
  it('is left as it is stored: nothing more of it is written here', async () => {
    const { chats, store, clock } = await openScene()
    const chat = await chats.create()
    const writer = await chats.addAnswer(chat, await chats.addPersonMessage(chat, null, 'one'))
    writer.append('Half')
    await clock.advanceAsync(500)
    const writes = store.writeCount
    writer.append(' and more')
    writer.abandon()
    writer.append(' and more')
    await writer.finish({ state: 'stopped' })
    await clock.advanceAsync(60_000)
    expect(store.writeCount).toBe(writes)
    expect(clock.pending).toBe(0)
  })

  it('is spared without a word, and closed with the longest text that is known', async () => {
    const { chats, again } = await openScene()
    const both = [await chats.create(), await chats.create()]
    const answers = await Promise.all(
      both.map(async (chat) => chats.addAnswer(chat, await chats.addPersonMessage(chat, null, 'one'))),
    )
    const other = await again()
    const told = (message: MessageId): string | undefined => (message === answers[1]?.id ? 'Told' : undefined)
    const unbegun = await other.closeAbandoned({ spareUnbegun: true, lastTold: told })
    expect(unbegun.map(({ message }) => message)).toEqual([answers[0]?.id])
    const [first, second] = both.map((chat) => other.get(chat)?.path[1])
    expect(first?.state).not.toBe('done')
    expect(second).toMatchObject({ state: 'failed', text: 'Told' })
    expect(await other.closeAbandoned()).toEqual([])
  })
})

describe('a store that fails', () => {
  it('is never covered up: the mutation is refused and nothing of it shows', async () => {
    const { chats, store, again } = await openScene()
    const chat = await chats.create()
    store.failWrites({ code: 'storage-full', atWrite: 1, count: 3 })
    await expect(chats.addPersonMessage(chat, null, 'one')).rejects.toMatchObject({ code: 'storage-full' })
    await expect(chats.rename(chat, 'x')).rejects.toMatchObject({ code: 'storage-full' })
    await expect(chats.create()).rejects.toMatchObject({ code: 'storage-full' })
    expect(chats.get(chat)?.path).toEqual([])
    expect(chats.list()).toHaveLength(1)
    await chats.addPersonMessage(chat, null, 'two')
    expect((await again()).get(chat)).toEqual(chats.get(chat))
  })

  it('does not cost the text of an answer: it is told, kept here, and stored when the disk works again', async () => {
    const { chats, store, clock, again } = await openScene()
    const problems: string[] = []
    chats.problems.subscribe((error) => problems.push(error.code))
    const chat = await chats.create()
    const question = await chats.addPersonMessage(chat, null, 'one')
    const answer = await chats.addAnswer(chat, question)
    store.failWrites({ code: 'storage-full', atWrite: 1, count: 1_000 })
    answer.append('not lost')
    await clock.advanceAsync(500)
    expect(problems).toEqual(['storage-full'])
    await expect(answer.finish({ state: 'done', figures })).rejects.toMatchObject({ code: 'storage-full' })
    expect(chats.get(chat)?.path[1]).toMatchObject({
      text: 'not lost',
      state: 'failed',
      error: { code: 'storage-full' },
    })
    store.heal()
    await clock.advanceAsync(120_000)
    expect(chats.get(chat)?.path[1]).toMatchObject({ text: 'not lost', state: 'done' })
    expect((await again()).get(chat)).toEqual(chats.get(chat))
    expect(clock.pending).toBe(0)
  })

  it('may fail at any single write: what was acknowledged is there after a reload', async () => {
    for (const torn of [false, true]) {
      for (let k = 1; k <= 14; k++) {
        const { chats, store, again } = await openScene()
        store.failWrites({ code: 'storage-failed', atWrite: k, torn })
        const acknowledged: string[] = []
        try {
          const chat = await chats.create()
          let parent: MessageId | null = null
          for (let turn = 0; turn < 3; turn++) {
            const text = `question ${String(turn)}`
            const question: MessageId = await chats.addPersonMessage(chat, parent, text)
            acknowledged.push(text)
            const answer = await chats.addAnswer(chat, question)
            answer.append(`answer ${String(turn)}`)
            await answer.finish({ state: 'done', figures })
            acknowledged.push(`answer ${String(turn)}`)
            parent = answer.id
          }
        } catch (error) {
          expect(isMeshError(error, 'storage-failed')).toBe(true)
        }
        const read = await again()
        const stored = read.list().flatMap((summary) => texts(read.get(summary.id)?.path ?? []))
        expect(stored.slice(0, acknowledged.length)).toEqual(acknowledged)
      }
    }
  })

  it('that lost one entry loses nothing else', async () => {
    const reference = await openScene()
    const chat = await reference.chats.create()
    let parent: MessageId | null = null
    for (let turn = 0; turn < 4; turn++) {
      const question: MessageId = await reference.chats.addPersonMessage(chat, parent, `question ${String(turn)}`)
      const answer = await reference.chats.addAnswer(chat, question)
      answer.append(`answer ${String(turn)}`)
      await answer.finish({ state: 'done', figures })
      parent = answer.id
    }
    const all = texts(reference.chats.get(chat)?.path ?? [])
    const [log] = [...reference.store.data.logs.values()]
    for (const entry of log ?? []) {
      const kept = entry.bytes.slice()
      entry.bytes.fill(0xff)
      const read = await reference.again()
      expect(read.health().corruptEntries).toBe(1)
      const left = texts(read.get(chat)?.path ?? [])
      const missing = all.filter((text) => !left.includes(text))
      expect(missing.length).toBeLessThanOrEqual(1)
      // every entry that was read stands on the one path, in order
      expect(left.filter((text) => text !== '')).toEqual(all.filter((text) => !missing.includes(text)))
      entry.bytes.set(kept)
    }
    reference.store.data.records.forEach((value) => value.fill(0))
    expect(texts((await reference.again()).get(chat)?.path ?? [])).toEqual(all)
  })
})

describe('two tabs', () => {
  it('that write to one chat end with the same tree as a reload', async () => {
    const { chats, again } = await openScene()
    const chat = await chats.create()
    const other = await again({ othersMayWrite: () => true })
    const a = await chats.addPersonMessage(chat, null, 'from one')
    await other.addPersonMessage(chat, null, 'from the other')
    await Promise.all([chats.rename(chat, 'mine'), other.rename(chat, 'theirs'), chats.showBranch(chat, a)])
    await chats.refresh()
    await other.refresh()
    expect(other.get(chat)).toEqual(chats.get(chat))
    expect((await again()).get(chat)).toEqual(chats.get(chat))
    expect(chats.get(chat)?.path[0]?.siblings).toHaveLength(2)
  })

  it('agree that a chat is gone once one deleted it, also when the other was about to write', async () => {
    const { chats, store, again } = await openScene()
    const chat = await chats.create()
    await chats.addPersonMessage(chat, null, 'one')
    const other = await again({ othersMayWrite: () => true })
    await chats.delete(chat)
    await expect(other.addPersonMessage(chat, null, 'two')).rejects.toMatchObject({ code: 'usage' })
    expect(other.list()).toEqual([])
    expect(store.data.logs.size).toBe(0)
    await other.refresh()
    expect(other.list()).toEqual([])
  })
})
