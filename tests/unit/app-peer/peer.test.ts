import { describe, expect, it } from 'vitest'
import { createAppPeer, type LifeEvent, type OpenMeshOptions } from '../../../app/peer/peer.ts'
import type { AppPeer } from '../../../app/peer/app-peer.ts'
import { createEvents, MeshError, silentLogger, type EventHub } from '../../../mesh/base/index.ts'
import { createVirtualClock, settle, type VirtualClock } from '../../kit/clock.ts'
import { createMemoryData, createMemoryStore, type MemoryData, type MemoryStore } from '../../kit/memory-store.ts'
import { createSeededRandom } from '../../kit/random.ts'
import { createProfile, type Profile, type Tab } from './tabs.ts'
import { createTestMesh, end, type TestMesh } from './test-mesh.ts'

interface Page {
  readonly tab: Tab
  readonly peer: AppPeer
  readonly store: MemoryStore
  readonly life: EventHub<LifeEvent>
  /** Meshes opened in this tab, oldest first. */
  readonly meshes: TestMesh[]
  readonly openings: OpenMeshOptions[]
  mesh(): TestMesh
}

interface Browser {
  readonly clock: VirtualClock
  readonly profile: Profile
  readonly data: MemoryData
  openPage(options?: { link?: string; failFirst?: MeshError; deaf?: boolean }): Promise<Page>
}

function openBrowser(): Browser {
  const clock = createVirtualClock()
  const profile = createProfile(clock)
  const data = createMemoryData()
  let seed = 1
  return {
    clock,
    profile,
    data,
    async openPage({ link, failFirst, deaf } = {}) {
      const tab = profile.openTab()
      const store = createMemoryStore(data)
      const life = createEvents<LifeEvent>(() => undefined)
      const meshes: TestMesh[] = []
      const openings: OpenMeshOptions[] = []
      const peer = await createAppPeer(
        {
          store,
          storage: 'durable',
          ...tab,
          random: createSeededRandom(seed++),
          log: silentLogger,
          life,
          openMesh(options) {
            openings.push(options)
            if (failFirst !== undefined && openings.length === 1) return Promise.reject(failFirst)
            const mesh = createTestMesh({ deaf: deaf === true })
            meshes.push(mesh)
            return Promise.resolve(mesh)
          },
        },
        { link },
      )
      await settle()
      const mesh = (): TestMesh => {
        const last = meshes.at(-1)
        if (last === undefined) throw new MeshError('bug', 'This page opened no mesh.')
        return last
      }
      return { tab, peer, store, life, meshes, openings, mesh }
    },
  }
}

describe('the peer of a browser', () => {
  it('runs in the first tab only; the second shows the same chats and may not ask', async () => {
    const browser = openBrowser()
    const a = await browser.openPage()
    const b = await browser.openPage()
    expect(a.peer.state()).toMatchObject({ standing: 'leader', mesh: a.mesh() })
    expect(b.peer.state()).toMatchObject({ standing: 'follower', mesh: undefined })
    expect(b.meshes).toHaveLength(0)
    a.mesh().setHelper({ state: 'ready' })
    const chat = await a.peer.chats.create()
    await a.peer.answering.send(chat, 'one')
    await browser.clock.advanceAsync(10)
    a.mesh().asked[0]?.say({ type: 'text', text: 'Half', tokenCount: 1 })
    await browser.clock.advanceAsync(600)
    expect(b.peer.chats.get(chat)?.path[1]).toMatchObject({ state: 'streaming', text: 'Half' })
    await expect(b.peer.answering.send(chat, 'two')).rejects.toMatchObject({ code: 'refused' })
    a.mesh().asked[0]?.say(end)
    await browser.clock.advanceAsync(10)
    expect(b.peer.chats.get(chat)).toEqual(a.peer.chats.get(chat))
    await b.peer.chats.rename(chat, 'ours')
    await browser.clock.advanceAsync(10)
    expect(a.peer.chats.get(chat)?.title).toBe('ours')
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
    expect(a.peer.state().mesh).toBeUndefined()
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
    a.tab.thaw()
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
    a.peer.offer('join=abc')
    expect(a.peer.state().invitation?.phase).toBe('offered')
  })

  it('opened in a second tab brings the peer there', async () => {
    const browser = openBrowser()
    const a = await browser.openPage()
    const b = await browser.openPage({ link: 'join=abc' })
    await browser.clock.advanceAsync(100)
    expect([a.peer.state().standing, b.peer.state().standing]).toEqual(['follower', 'leader'])
    expect(b.peer.state().invitation?.phase).toBe('offered')
  })

  it('of a device one belongs to already asks nothing, and is used to find it', async () => {
    const browser = openBrowser()
    const a = await browser.openPage()
    a.mesh().setHelper({ state: 'ready' })
    a.peer.offer('join=abc')
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
