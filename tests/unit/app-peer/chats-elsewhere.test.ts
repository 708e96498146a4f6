import { expect, it } from 'vitest'
import { silentLogger, type ChatId } from '../../../mesh/base/index.ts'
import { createChats, type Chats } from '../../../mesh/state/index.ts'
import { createMemoryStore } from '../../kit/memory-store.ts'
import { createSeededRandom } from '../../kit/random.ts'
import { figures, route } from '../state/scene.ts'
import { openBrowser, type Browser, type Page } from './browser.ts'
import { end } from './test-mesh.ts'

/** What another device of the person did, as the mirror puts it into the store of this profile. */
const elsewhere = (browser: Browser): Promise<Chats> =>
  createChats({
    ...{ store: createMemoryStore(browser.data), clock: browser.clock, log: silentLogger },
    ...{ random: createSeededRandom('elsewhere'), self: () => route.device },
  })

async function twoTabs(): Promise<{ browser: Browser; a: Page; b: Page; pass: () => Promise<void> }> {
  const browser = openBrowser()
  const a = await browser.openPage()
  const b = await browser.openPage()
  a.mesh().setHelper({ state: 'ready' })
  const pass = (): Promise<void> => browser.clock.advanceAsync(50)
  await pass()
  return { browser, a, b, pass }
}

const textsIn = (page: Page, chat: ChatId): string[] => page.peer.chats.get(chat)?.path.map(({ text }) => text) ?? []

it('shows what another device wrote in every tab, and goes on with it', async () => {
  const { browser, a, b, pass } = await twoTabs()
  const there = await elsewhere(browser)
  const chat = await there.create()
  const writer = await there.addAnswer(chat, await there.addPersonMessage(chat, null, 'one'))
  a.mesh().arrivals.emit(chat)
  await pass()
  for (const { peer } of [a, b]) {
    expect(peer.chats.get(chat)?.path[1]).toMatchObject({ state: 'waiting', elsewhere: route.deviceName })
    expect(peer.chats.list()[0]).toMatchObject({ lastState: 'waiting', elsewhere: route.deviceName })
  }
  writer.append('two')
  await writer.finish({ state: 'done', figures })
  a.mesh().arrivals.emit(chat)
  await pass()
  await b.peer.answering.send(chat, 'three')
  a.mesh().asked.at(-1)?.say({ type: 'text', text: 'four', tokenCount: 1 })
  a.mesh().asked.at(-1)?.say(end)
  await pass()
  for (const page of [a, b]) expect(textsIn(page, chat)).toEqual(['one', 'two', 'three', 'four'])
  expect(
    a
      .mesh()
      .asked.at(-1)
      ?.request.messages.map(({ content }) => content),
  ).toEqual(['one', 'two', 'three'])
})

it('tells the mesh of everything that is written, by whichever tab, and nothing of it twice over from the mesh', async () => {
  const { a, b, pass } = await twoTabs()
  const chat = await b.peer.chats.create()
  await b.peer.chats.rename(chat, 'ours')
  await pass()
  expect(new Set(a.mesh().written)).toEqual(new Set([chat]))
  const before = a.mesh().written.length
  a.mesh().arrivals.emit(chat)
  await pass()
  expect(a.mesh().written).toHaveLength(before)
  expect(b.meshes).toEqual([])
})

it('calls an answer of another device failed only while that one is out of reach, and leaves it open', async () => {
  const { browser, a, b, pass } = await twoTabs()
  const there = await elsewhere(browser)
  const chat = await there.create()
  await there.addAnswer(chat, await there.addPersonMessage(chat, null, 'one'))
  a.mesh().arrivals.emit(chat)
  a.mesh().setHelper(undefined)
  await pass()
  // a device that is not in the mesh any more will not end it
  for (const { peer } of [a, b]) expect(peer.chats.get(chat)?.path[1]?.state).toBe('failed')
  a.mesh().setHelper({ state: 'ready' })
  await pass()
  for (const { peer } of [a, b]) expect(peer.chats.get(chat)?.path[1]).toMatchObject({ state: 'waiting' })
  // the next tab that leads closes what its own profile left, and not this
  const writes = browser.data.logs.get(`chats/log/${chat}`)?.length
  await b.peer.takeOver()
  await pass()
  expect(browser.data.logs.get(`chats/log/${chat}`)).toHaveLength(writes ?? 0)
  b.mesh().setHelper({ state: 'ready' })
  await pass()
  for (const { peer } of [a, b]) expect(peer.chats.get(chat)?.path[1]).toMatchObject({ state: 'waiting' })
})

it('that deleted a chat takes it out of every tab, also while an answer was on its way there', async () => {
  const { browser, a, b, pass } = await twoTabs()
  const chat = await a.peer.chats.create()
  await b.peer.answering.send(chat, 'one')
  const there = await elsewhere(browser)
  await there.delete(chat)
  a.mesh().arrivals.emit(chat)
  await pass()
  a.mesh().asked.at(-1)?.say({ type: 'text', text: 'late', tokenCount: 1 })
  a.mesh().asked.at(-1)?.say(end)
  await browser.clock.advanceAsync(2_000)
  for (const { peer } of [a, b]) expect(peer.chats.list()).toEqual([])
  expect([...browser.data.logs.keys()].filter((name) => name.startsWith('chats/'))).toEqual([])
  expect([...browser.data.records.keys()].filter((key) => key.startsWith('chats/draft/'))).toEqual([])
})

it('marks what is written with this device, also before the mesh runs again', async () => {
  const { browser, a, b } = await twoTabs()
  const first = await a.peer.chats.create()
  await a.peer.close()
  await b.peer.close()
  const again = await browser.openPage()
  const second = await again.peer.chats.create()
  expect(second.slice(-10)).toBe(first.slice(-10))
  expect(second).toHaveLength(36)
})
