import { describe, expect, it } from 'vitest'
import { asId, MeshError, type ChatId, type DeviceId, type InvitationId } from '../../../mesh/base/index.ts'
import type { AskEvent } from '../../../mesh/route/index.ts'
import { settle } from '../../kit/clock.ts'
import { route } from '../state/scene.ts'
import { DOOR, openBrowser, type Browser, type Page } from './browser.ts'
import { end, type TestMesh } from './test-mesh.ts'

interface TwoTabs {
  readonly browser: Browser
  /** Leads. */
  readonly a: Page
  /** Follows. */
  readonly b: Page
  readonly chat: ChatId
  /** Lets a turn and the news after it pass. */
  pass(): Promise<void>
}

async function openTwoTabs(options: { deaf?: boolean } = {}): Promise<TwoTabs> {
  const browser = openBrowser()
  const a = await browser.openPage(options)
  const b = await browser.openPage()
  a.mesh().setHelper({ state: 'ready' })
  const chat = await b.peer.chats.create()
  const pass = (): Promise<void> => browser.clock.advanceAsync(50)
  await pass()
  return { browser, a, b, chat, pass }
}

const asked = (page: Page) => {
  const last = page.mesh().asked.at(-1)
  if (last === undefined) throw new MeshError('bug', 'Nothing was asked.')
  return last
}
const text = (words: string, tokenCount = 1): AskEvent => ({ type: 'text', text: words, tokenCount })

describe('a tab that does not hold the peer', () => {
  it('asks through the one that does, and shows text, phases and figures as they come', async () => {
    const { a, b, chat, pass } = await openTwoTabs()
    const { answer } = await b.peer.answering.send(chat, 'How far is the moon?')
    expect(b.peer.chats.get(chat)?.path.map(({ author }) => author)).toEqual(['person', 'ai'])
    asked(a).say({ type: 'route', route })
    asked(a).say({ type: 'phase', phase: 'reading', fraction: 0.4 })
    await pass()
    expect(b.peer.answering.live(answer)).toMatchObject({ phase: 'reading', fraction: 0.4, route })
    expect(b.peer.answering.liveIn(chat)?.message).toBe(answer)
    asked(a).say(text('Far'))
    asked(a).say(text(' away', 2))
    await pass()
    // long before it is stored
    expect(b.peer.chats.get(chat)?.path[1]).toMatchObject({ state: 'streaming', text: 'Far away' })
    expect(b.peer.answering.live(answer)).toMatchObject({ phase: 'writing', tokens: 3 })
    asked(a).say(end)
    await pass()
    expect(b.peer.answering.live(answer)).toBeUndefined()
    expect(b.peer.chats.get(chat)).toEqual(a.peer.chats.get(chat))
    expect(b.peer.chats.get(chat)?.path[1]).toMatchObject({ state: 'done', text: 'Far away' })
    expect(b.store.writeCount).toBe(0)
  })

  it('never shows less of an answer than it showed before', async () => {
    const { browser, a, b, chat } = await openTwoTabs()
    const { answer } = await b.peer.answering.send(chat, 'one')
    let longest = 0
    const shown: number[] = []
    b.peer.chats.changes.subscribe(look)
    b.peer.answering.changes.subscribe(look)
    function look(): void {
      const length = b.peer.chats.get(chat)?.path.find(({ id }) => id === answer)?.text.length ?? 0
      shown.push(length)
      expect(length).toBeGreaterThanOrEqual(longest)
      longest = length
    }
    for (let word = 0; word < 40; word++) {
      asked(a).say(text(`word ${String(word)} `))
      await browser.clock.advanceAsync(17)
    }
    asked(a).say(end)
    await browser.clock.advanceAsync(2_000)
    expect(b.peer.chats.get(chat)?.path[1]?.state).toBe('done')
    expect(new Set(shown).size).toBeGreaterThan(15)
  })

  it('stops, regenerates, edits and shows branches', async () => {
    const { a, b, chat, pass } = await openTwoTabs()
    const first = await b.peer.answering.send(chat, 'one')
    asked(a).say(text('Half'))
    await pass()
    b.peer.answering.stop(first.answer)
    await pass()
    expect(asked(a).signal.aborted).toBe(true)
    expect(b.peer.chats.get(chat)?.path[1]).toMatchObject({ state: 'stopped', text: 'Half' })
    const again = await b.peer.answering.regenerate(chat, first.answer)
    asked(a).say(text('Whole'))
    asked(a).say(end)
    await pass()
    expect(b.peer.chats.get(chat)?.path[1]).toMatchObject({ id: again, state: 'done', siblings: [first.answer, again] })
    await b.peer.chats.showBranch(chat, first.answer)
    expect(b.peer.chats.get(chat)?.path[1]?.id).toBe(first.answer)
    const edited = await b.peer.answering.edit(chat, first.question, 'two')
    asked(a).say(end)
    await pass()
    expect(a.peer.chats.get(chat)?.path.map(({ id }) => id)).toEqual([edited.question, edited.answer])
  })

  it('creates, renames, deletes and chooses models of chats, and writes none of it itself', async () => {
    const { a, b, chat } = await openTwoTabs()
    await b.peer.chats.rename(chat, 'ours')
    await b.peer.chats.chooseModel(chat, route.model)
    expect(b.peer.chats.get(chat)).toMatchObject({ title: 'ours', model: route.model })
    expect(a.peer.chats.get(chat)).toEqual(b.peer.chats.get(chat))
    await b.peer.chats.delete(chat)
    expect(b.peer.chats.list()).toEqual([])
    expect(a.peer.chats.list()).toEqual([])
    expect(b.store.writeCount).toBe(0)
  })

  it('has the failures of the other tab as its own: code, sentence and detail', async () => {
    const { a, b, chat } = await openTwoTabs()
    a.store.failWrites({ code: 'storage-full', atWrite: 1 })
    await expect(b.peer.chats.rename(chat, 'x')).rejects.toMatchObject({
      name: 'MeshError',
      code: 'storage-full',
      message: 'The disk did not take the data.',
    })
    await expect(b.peer.chats.rename(chat, ' ')).rejects.toMatchObject({ code: 'usage' })
    await expect(b.peer.answering.send(chat, 'x'.repeat(1_000_001))).rejects.toMatchObject({
      code: 'too-large',
      detail: { maxLength: 1_000_000 },
    })
  })

  it('shows six words at the helper the page came from, and stops when nobody wants them any more', async () => {
    const { a, b, pass } = await openTwoTabs()
    const doors: unknown[] = []
    let stopped = false
    Object.assign(a.mesh(), {
      knock: (door: unknown, { onWords, signal }: Parameters<TestMesh['knock']>[1]) => {
        doors.push(door)
        onWords(['one', 'two'])
        return new Promise((_resolve, reject) => {
          signal?.addEventListener('abort', () => {
            stopped = true
            reject(new MeshError('aborted', 'Stopped.'))
          })
        })
      },
    })
    const words: unknown[] = []
    const own = new AbortController()
    const knocked = b.peer.knock({ signal: own.signal, onWords: (shown) => words.push(shown) })
    await pass()
    expect(words).toEqual([['one', 'two']])
    expect(doors).toEqual([DOOR])
    own.abort()
    await expect(knocked).rejects.toMatchObject({ code: 'aborted' })
    await pass()
    expect(stopped).toBe(true)
  })

  it('makes recovery words and comes back with them through the tab that leads; a file of everything is made there alone', async () => {
    const { a, b, pass } = await openTwoTabs()
    const given: unknown[] = []
    Object.assign(a.mesh(), {
      recover: (secret: unknown, place: unknown, { onProgress }: Parameters<TestMesh['recover']>[2] & object) => {
        given.push([secret, place])
        onProgress?.('connecting')
        return Promise.resolve(a.mesh().devices()[0])
      },
    })
    const mesh = b.peer.state().mesh
    expect(mesh?.recovery()).toBeNull()
    const draft = await mesh?.draftRecovery()
    expect([draft?.words.length, draft?.parts.length]).toEqual([12, 3])
    await mesh?.keepRecovery(draft?.words.join(' ') ?? '')
    a.mesh().events.emit({ type: 'people-changed' })
    await pass()
    expect(mesh?.recovery()).toMatchObject({ byName: 'Desktop' })
    const phases: string[] = []
    await b.peer.recover('some words', { onProgress: (phase) => phases.push(phase) })
    await b.peer.recover('some words', { place: '/ip4/127.0.0.1/tcp/1/p2p/12D3KooWThis' })
    expect(phases).toEqual(['connecting'])
    expect(given).toEqual([
      ['some words', DOOR],
      ['some words', '/ip4/127.0.0.1/tcp/1/p2p/12D3KooWThis'],
    ])
    expect(b.peer.archives()).toBeUndefined()
    expect(a.peer.archives()).toBeDefined()
  })

  it('sees devices come and change at once, and uses the whole mesh', async () => {
    const { a, b, pass } = await openTwoTabs()
    const mesh = b.peer.state().mesh
    const heard: string[] = []
    mesh?.events.subscribe((event) => {
      // what an event is about is there already when it is heard
      heard.push(`${event.type} ${String(mesh.devices().length)}`)
    })
    a.mesh().setHelper(undefined)
    await pass()
    a.mesh().setHelper({ state: 'downloading', receivedBytes: 25 })
    await pass()
    expect(heard).toEqual(['device-changed 1', 'device-changed 2'])
    expect(mesh?.devices()).toEqual(a.mesh().devices())
    expect(mesh?.standing()).toBe('member')
    await mesh?.rename(asId<DeviceId>('12D3KooWThis'), 'Mine')
    await mesh?.remove(asId<DeviceId>('12D3KooWThis'))
    await mesh?.settleJoin(asId<InvitationId>('ab'), true)
    expect(a.mesh().done).toEqual(['rename 12D3KooWThis Mine', 'remove 12D3KooWThis', 'settle ab true'])
    await expect(mesh?.invite({ confirmation: 'pictures' })).rejects.toMatchObject({ code: 'unsupported' })
    mesh?.wake()
    await pass()
    expect(a.mesh().wakes).toBe(1)
  })

  it('joins by a link opened in it, with pictures and progress, and moves nothing', async () => {
    const browser = openBrowser()
    const a = await browser.openPage()
    const b = await browser.openPage({ link: 'join=abc' })
    await browser.clock.advanceAsync(50)
    expect([a.peer.state().standing, b.peer.state().standing]).toEqual(['leader', 'follower'])
    expect(a.peer.state().invitation).toBeUndefined()
    expect(b.peer.state().invitation).toMatchObject({ phase: 'offered', preview: { inviterName: 'Laptop' } })
    const accepted = b.peer.accept()
    await browser.clock.advanceAsync(50)
    a.mesh().joins[0]?.progress({ phase: 'comparing', pictures: ['🐧', '🔑'] })
    await browser.clock.advanceAsync(50)
    expect(b.peer.state().invitation).toMatchObject({
      phase: 'joining',
      progress: { phase: 'comparing', pictures: ['🐧', '🔑'] },
    })
    a.mesh().joins[0]?.settle.resolve()
    await accepted
    expect(b.peer.state().invitation).toBeUndefined()
  })

  it('cancels a join by dismissing it', async () => {
    const browser = openBrowser()
    const a = await browser.openPage()
    const b = await browser.openPage({ link: 'join=abc' })
    await browser.clock.advanceAsync(50)
    const accepted = b.peer.accept()
    await browser.clock.advanceAsync(50)
    b.peer.dismiss()
    await accepted
    await browser.clock.advanceAsync(50)
    await expect(a.mesh().joins[0]?.settle.promise).rejects.toMatchObject({ code: 'aborted' })
  })

  it('says why the peer does not run in the other tab, and can have it started again', async () => {
    const browser = openBrowser()
    const a = await browser.openPage({ failFirst: new MeshError('storage-corrupt', 'The key cannot be read.') })
    const b = await browser.openPage()
    expect(b.peer.state()).toMatchObject({ standing: 'follower', problem: { code: 'storage-corrupt' } })
    a.peer.retry()
    await browser.clock.advanceAsync(50)
    expect(b.peer.state().problem).toBeUndefined()
    expect(b.peer.state().mesh?.devices()).toEqual(a.mesh().devices())
  })
})

describe('when the leading tab goes', () => {
  it('an answer in progress is failed with its text kept, and the other tab asks on', async () => {
    const { a, b, chat, pass } = await openTwoTabs()
    await b.peer.answering.send(chat, 'one')
    asked(a).say(text('Half'))
    await pass()
    await a.peer.close()
    await pass()
    expect(b.peer.state().standing).toBe('leader')
    expect(b.peer.chats.get(chat)?.path[1]).toMatchObject({ state: 'failed', text: 'Half', error: { code: 'aborted' } })
    b.mesh().setHelper({ state: 'ready' })
    await b.peer.answering.send(chat, 'two')
    await pass()
    expect(b.mesh().asked).toHaveLength(1)
  })

  it('text that was shown and not yet stored is kept as well', async () => {
    const { a, b, chat, pass } = await openTwoTabs()
    await b.peer.answering.send(chat, 'one')
    asked(a).say(text('Said a moment ago'))
    await pass()
    a.tab.kill()
    await pass()
    expect(b.peer.chats.get(chat)?.path[1]).toMatchObject({ state: 'failed', text: 'Said a moment ago' })
  })

  it.each(['close', 'kill'] as const)('a question that waits is asked by the next (%s)', async (how) => {
    const { a, b, chat, pass } = await openTwoTabs()
    a.mesh().setHelper(undefined)
    await pass()
    const { answer } = await b.peer.answering.send(chat, 'one', { model: route.model })
    await pass()
    expect(b.peer.answering.live(answer)).toMatchObject({ phase: 'waiting', waitsFor: 'device' })
    if (how === 'close') await a.peer.close()
    else a.tab.kill()
    await pass()
    expect(b.peer.answering.live(answer)).toMatchObject({ phase: 'waiting' })
    expect(b.peer.chats.get(chat)?.path[1]).toMatchObject({ id: answer, state: 'waiting' })
    b.mesh().setHelper({ state: 'ready' })
    await pass()
    expect(asked(b).request).toMatchObject({ model: route.model, messages: [{ role: 'user', content: 'one' }] })
    asked(b).say(text('There'))
    asked(b).say(end)
    await pass()
    expect(b.peer.chats.get(chat)?.path[1]).toMatchObject({ id: answer, state: 'done', text: 'There' })
  })

  it.each([
    [1, 'before'],
    [1, 'after'],
    [2, 'before'],
    [2, 'after'],
  ] as const)('dead at its call %i of the disk (%s it), a wish is done by the next, once', async (call, when) => {
    const { a, b, chat, pass } = await openTwoTabs()
    a.tab.dieAtCall(call, when)
    const sent = b.peer.answering.send(chat, 'one')
    await pass()
    await sent
    expect(b.peer.state().standing).toBe('leader')
    expect(b.peer.chats.get(chat)?.path.map(({ author }) => author)).toEqual(['person', 'ai'])
    expect(b.peer.chats.get(chat)?.path[0]?.siblings).toHaveLength(1)
  })

  it('dead at any call of the disk, it takes nothing with it that was acknowledged', async () => {
    let deaths = 0
    for (const when of ['before', 'after'] as const) {
      for (let call = 1; ; call++) {
        const { a, b, chat, pass } = await openTwoTabs()
        a.tab.dieAtCall(call, when)
        const told: string[] = []
        const answerAll = async (): Promise<void> => {
          for (const mesh of [...a.meshes, ...b.meshes]) mesh.setHelper({ state: 'ready' })
          await pass()
          for (const asking of [...a.meshes, ...b.meshes].flatMap((mesh) => mesh.asked)) {
            if (!asking.left()) asking.say(end)
          }
          await pass()
        }
        const session = async (): Promise<void> => {
          for (const words of ['one', 'two']) {
            const { question } = await b.peer.answering.send(chat, words)
            told.push(question)
            while (b.peer.answering.liveIn(chat) !== undefined) await answerAll()
          }
          await b.peer.chats.rename(chat, 'ours')
        }
        await session()
        const path = b.peer.chats.get(chat)?.path ?? []
        expect(path.filter(({ author }) => author === 'person').map(({ id }) => id)).toEqual(told)
        expect(path.map(({ author }) => author)).toEqual(['person', 'ai', 'person', 'ai'])
        expect(b.peer.chats.get(chat)?.title).toBe('ours')
        if (a.tab.alive()) break
        deaths += 1
      }
    }
    expect(deaths).toBeGreaterThan(15)
  })

  it('a join under way fails so that it can be tried again', async () => {
    const browser = openBrowser()
    const a = await browser.openPage()
    const b = await browser.openPage({ link: 'join=abc' })
    await browser.clock.advanceAsync(50)
    const accepted = b.peer.accept()
    await browser.clock.advanceAsync(50)
    a.tab.kill()
    await accepted
    await browser.clock.advanceAsync(50)
    expect(b.peer.state().standing).toBe('leader')
    const again = b.peer.accept()
    await browser.clock.advanceAsync(50)
    expect(b.mesh().joins).toHaveLength(1)
    b.mesh().joins[0]?.settle.resolve()
    await again
    expect(b.peer.state().invitation).toBeUndefined()
  })

  it('frozen, the tab in which somebody waits takes over by itself', async () => {
    const { browser, a, b, chat } = await openTwoTabs()
    a.tab.freeze()
    const sent = b.peer.answering.send(chat, 'one')
    await browser.clock.advanceAsync(6_500)
    const { answer } = await sent
    expect(b.peer.state().standing).toBe('leader')
    // the frozen tab finds the same wish in its post, and leaves it alone
    await a.tab.thaw()
    await browser.clock.advanceAsync(1_000)
    expect([a.peer.state().standing, b.peer.state().standing]).toEqual(['follower', 'leader'])
    expect(a.mesh().asked).toHaveLength(0)
    expect(a.peer.chats.get(chat)?.path.map(({ id }) => id)).toContain(answer)
    expect(a.peer.chats.get(chat)?.path).toHaveLength(2)
  })

  it('frozen, it is left in peace while nobody waits for it', async () => {
    const { browser, a, b } = await openTwoTabs()
    a.tab.freeze()
    await browser.clock.advanceAsync(60_000)
    expect(b.peer.state()).toMatchObject({ standing: 'follower', leaderSilent: true })
    await a.tab.thaw()
    await browser.clock.advanceAsync(2_000)
    expect(b.peer.state()).toMatchObject({ standing: 'follower', leaderSilent: false })
  })
})

describe('one writer', () => {
  it('a tab that was robbed while it slept writes nothing when it wakes', async () => {
    const { browser, a, b, chat } = await openTwoTabs({ deaf: true })
    await a.peer.answering.send(chat, 'one')
    await settle()
    asked(a).say(text('Half'))
    await browser.clock.advanceAsync(600)
    const writes = a.store.writeCount
    a.tab.freeze()
    asked(a).say(text(' and more'))
    const moved = b.peer.takeOver()
    await browser.clock.advanceAsync(3_500)
    await moved
    await a.tab.thaw()
    await browser.clock.advanceAsync(5_000)
    expect(a.store.writeCount).toBe(writes)
    expect(a.peer.chats.get(chat)?.path[1]).toMatchObject({ state: 'failed', text: 'Half' })
    expect(a.peer.chats.get(chat)).toEqual(b.peer.chats.get(chat))
  })

  it('a wish in a tab that was robbed is done by the tab that leads', async () => {
    const { browser, a, b, chat } = await openTwoTabs()
    a.tab.freeze()
    const moved = b.peer.takeOver()
    await browser.clock.advanceAsync(3_500)
    await moved
    const renamed = a.peer.chats.rename(chat, 'from a')
    await a.tab.thaw()
    await browser.clock.advanceAsync(1_000)
    await renamed
    expect(b.peer.chats.get(chat)?.title).toBe('from a')
  })
})
