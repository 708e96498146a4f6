import { describe, expect, it } from 'vitest'
import { MeshError } from '../../../mesh/base/index.ts'
import { settle } from '../../kit/clock.ts'
import { openBrowser } from './browser.ts'

describe('the peer of a browser', () => {
  it('runs in the first tab only; the second shows the same chats and has the same mesh', async () => {
    const browser = openBrowser()
    const a = await browser.openPage()
    const b = await browser.openPage()
    expect(a.peer.state()).toMatchObject({ standing: 'leader', mesh: a.mesh() })
    expect(b.peer.state().standing).toBe('follower')
    expect(b.meshes).toHaveLength(0)
    expect(b.peer.state().mesh?.self).toBe(a.mesh().self)
    expect(b.peer.state().mesh?.devices()).toEqual(a.mesh().devices())
    const chat = await a.peer.chats.create()
    await browser.clock.advanceAsync(10)
    await b.peer.chats.rename(chat, 'ours')
    expect(b.peer.chats.get(chat)?.title).toBe('ours')
    expect(a.peer.chats.get(chat)?.title).toBe('ours')
    expect(b.store.writeCount).toBe(0)
  })

  it('moves with "Use it here": the text so far is kept, and the old tab stops its mesh', async () => {
    const browser = openBrowser()
    const a = await browser.openPage({ deaf: true })
    const b = await browser.openPage()
    a.mesh().setHelper({ state: 'ready' })
    const chat = await a.peer.chats.create()
    await a.peer.answering.send(chat, 'one')
    await settle()
    a.mesh().asked[0]?.say({ type: 'text', text: 'Half', tokenCount: 1 })
    await settle()
    const moved = b.peer.takeOver()
    await browser.clock.advanceAsync(100)
    await moved
    await browser.clock.advanceAsync(100)
    expect(a.mesh().stopped).toBe(true)
    expect([a.peer.state().standing, b.peer.state().standing]).toEqual(['follower', 'leader'])
    expect(a.peer.state().mesh).not.toBe(a.mesh())
    expect(b.peer.state().mesh).toBe(b.mesh())
    for (const { peer } of [a, b]) {
      expect(peer.chats.get(chat)?.path[1]).toMatchObject({
        state: 'failed',
        text: 'Half',
        error: { code: 'aborted' },
      })
    }
  })

  it('is taken from a frozen tab; its unfinished answer reads as failed with its text', async () => {
    const browser = openBrowser()
    const a = await browser.openPage()
    const b = await browser.openPage()
    a.mesh().setHelper({ state: 'ready' })
    const chat = await a.peer.chats.create()
    await a.peer.answering.send(chat, 'one')
    await settle()
    a.mesh().asked[0]?.say({ type: 'text', text: 'Half', tokenCount: 1 })
    await browser.clock.advanceAsync(600)
    a.tab.freeze()
    const moved = b.peer.takeOver()
    await browser.clock.advanceAsync(3_100)
    await moved
    await settle()
    expect(b.peer.chats.get(chat)?.path[1]).toMatchObject({ state: 'failed', text: 'Half' })
    await a.tab.thaw()
    await browser.clock.advanceAsync(1_000)
    expect(a.mesh().stopped).toBe(true)
    expect(a.peer.chats.get(chat)).toEqual(b.peer.chats.get(chat))
    expect(a.peer.chats.get(chat)?.path[1]).toMatchObject({ state: 'failed', text: 'Half' })
  })

  it('keeps the name of this device from start to start, also after it was renamed', async () => {
    const browser = openBrowser()
    const a = await browser.openPage()
    const first = a.openings[0]?.deviceName
    expect(first).toMatch(/^[A-Z][a-z]+ [A-Z][a-z]+$/)
    const [self] = a.mesh().devices()
    if (self !== undefined) a.mesh().events.emit({ type: 'device-changed', device: { ...self, name: 'My phone' } })
    await settle()
    await a.peer.close()
    const b = await browser.openPage()
    expect(b.openings[0]?.deviceName).toBe('My phone')
  })

  it('says why it did not start, and starts at a retry', async () => {
    const browser = openBrowser()
    const a = await browser.openPage({ failFirst: new MeshError('storage-corrupt', 'The key cannot be read.') })
    expect(a.peer.state()).toMatchObject({ standing: 'leader', mesh: undefined, problem: { code: 'storage-corrupt' } })
    a.peer.retry()
    await settle()
    expect(a.peer.state()).toMatchObject({ mesh: a.mesh(), problem: undefined })
  })
})

describe('a joining link', () => {
  it('shows who invites once the peer runs, and joins only when the person agrees', async () => {
    const browser = openBrowser()
    const a = await browser.openPage({ link: 'join=abc' })
    expect(a.peer.state().invitation).toMatchObject({ phase: 'offered', preview: { inviterName: 'Laptop' } })
    expect(a.mesh().joins).toHaveLength(0)
    const accepted = a.peer.accept()
    a.mesh().joins[0]?.progress({ phase: 'proving' })
    expect(a.peer.state().invitation).toMatchObject({ phase: 'joining', progress: { phase: 'proving' } })
    a.mesh().joins[0]?.settle.resolve()
    await accepted
    expect(a.peer.state().invitation).toBeUndefined()
  })

  it('that fails says why and can be tried again or dismissed', async () => {
    const browser = openBrowser()
    const a = await browser.openPage({ link: 'join=abc' })
    const accepted = a.peer.accept()
    a.mesh().joins[0]?.settle.reject(new MeshError('timeout', 'Nobody answered.'))
    await accepted
    expect(a.peer.state().invitation).toMatchObject({
      phase: 'failed',
      preview: { inviterName: 'Laptop' },
      error: { code: 'timeout' },
    })
    const again = a.peer.accept()
    expect(a.mesh().joins).toHaveLength(2)
    a.peer.dismiss()
    await again
    expect(a.peer.state().invitation).toBeUndefined()
  })

  it('that is nonsense says so; another one takes its place', async () => {
    const browser = openBrowser()
    const a = await browser.openPage({ link: 'nonsense' })
    expect(a.peer.state().invitation).toMatchObject({ phase: 'failed', error: { code: 'malformed' } })
    a.peer.offer('join=abc', 'by-hand')
    await settle()
    expect(a.peer.state().invitation?.phase).toBe('offered')
  })

  it('that may not be used here is never read, from the address or by hand', async () => {
    const refusal = new MeshError('unsupported', 'Not on this page.')
    const { openPage } = openBrowser()
    const a = await openPage({ link: 'join=abc', refuseLink: (link) => (link === 'join=pass' ? undefined : refusal) })
    expect(a.peer.state().invitation).toEqual({ phase: 'failed', error: refusal })
    await a.peer.accept()
    expect(a.mesh().joins).toEqual([])
    a.peer.offer('join=pass', 'by-hand')
    await settle()
    expect(a.peer.state().invitation).toMatchObject({ phase: 'offered' })
    a.peer.offer('join=abc', 'by-hand')
    expect(a.peer.state().invitation).toEqual({ phase: 'failed', error: refusal })
  })

  it('and recovery words are nothing for a page without protection, also where somebody names a place', async () => {
    const { openPage } = openBrowser()
    const a = await openPage({ guest: true })
    for (const place of [undefined, 'join=abc'])
      await expect(a.peer.recover('twelve words', { place })).rejects.toMatchObject({ code: 'unsupported' })
  })

  it('may be agreed to before it is read', async () => {
    const { openPage } = openBrowser()
    const a = await openPage()
    a.peer.offer('join=abc', 'by-hand')
    void a.peer.accept()
    await settle()
    expect(a.peer.state().invitation?.phase).toBe('joining')
    expect(a.mesh().joins).toHaveLength(1)
  })

  it('of a device one belongs to already asks nothing, and is used to find it', async () => {
    const browser = openBrowser()
    const a = await browser.openPage()
    a.mesh().setHelper({ state: 'ready' })
    a.peer.offer('join=abc', 'by-hand')
    await settle()
    expect(a.peer.state().invitation).toBeUndefined()
    expect(a.mesh().joins.map(({ link }) => link)).toEqual(['join=abc'])
  })
})

describe('the life of the page', () => {
  it('checks the links at once when it comes back, or when the clock shows that the device slept', async () => {
    const browser = openBrowser()
    const a = await browser.openPage()
    await browser.clock.advanceAsync(10_000)
    expect(a.mesh().wakes).toBe(0)
    a.life.emit('resumed')
    expect(a.mesh().wakes).toBe(1)
    browser.clock.jumpWallClock(3_600_000)
    await browser.clock.advanceAsync(1_000)
    expect(a.mesh().wakes).toBe(2)
    await browser.clock.advanceAsync(10_000)
    expect(a.mesh().wakes).toBe(2)
  })

  it('leaving ends answers at once, text kept; coming back from the cache starts the peer again', async () => {
    const browser = openBrowser()
    const a = await browser.openPage()
    a.mesh().setHelper({ state: 'ready' })
    const chat = await a.peer.chats.create()
    await a.peer.answering.send(chat, 'one')
    await settle()
    const first = a.mesh()
    first.asked[0]?.say({ type: 'text', text: 'Half', tokenCount: 1 })
    await settle()
    a.life.emit('leaving')
    expect(first.asked[0]?.signal.aborted).toBe(true)
    await settle()
    expect(first.stopped).toBe(true)
    expect(a.peer.chats.get(chat)?.path[1]).toMatchObject({ state: 'failed', text: 'Half', error: { code: 'aborted' } })
    a.life.emit('resumed')
    await settle()
    expect(a.meshes).toHaveLength(2)
    expect(a.peer.state().mesh).toBe(a.mesh())
  })

  it('closing leaves no timer and gives the peer to the next tab', async () => {
    const browser = openBrowser()
    const a = await browser.openPage()
    const b = await browser.openPage()
    await a.peer.close()
    await browser.clock.advanceAsync(5_000)
    expect(b.peer.state().standing).toBe('leader')
    await b.peer.close()
    await browser.clock.advanceAsync(5_000)
    expect(browser.clock.pending).toBe(0)
  })
})
