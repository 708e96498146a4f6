import { expect, test } from 'vitest'
import { MeshError, type Store } from '../../../mesh/base/index.ts'
import { settle } from '../../kit/clock.ts'
import { openBrowser, type Browser } from './browser.ts'

/** The store as the sealed one tells it when what lies under one name does not open. */
function damaged(store: Store, name: string): Store {
  return {
    ...store,
    get: (key, options) =>
      key === name ? Promise.reject(new MeshError('storage-corrupt', 'It does not open.')) : store.get(key, options),
    list: async (prefix, options) =>
      (await store.list(prefix, options)).map((one) => (one.key === name ? { ...one, value: undefined } : one)),
    readLog: async (log, after, options) =>
      (await store.readLog(log, after, options)).map((entry, index) =>
        log === name && after === 0 && index === 1 ? { ...entry, bytes: undefined } : entry,
      ),
  }
}

async function filled(): Promise<Browser> {
  const browser = openBrowser()
  const page = await browser.openPage()
  page.mesh().setHelper({ state: 'ready' })
  for (const title of ['first', 'second']) {
    const chat = await page.peer.chats.create()
    await page.peer.chats.rename(chat, title)
    await page.peer.answering.send(chat, 'a question')
    await settle()
  }
  await page.peer.close()
  return browser
}

test('a page opens with its chats whichever of its records is damaged, and leads', async () => {
  const { data } = await filled()
  const names = [...data.records.keys(), ...data.logs.keys()]
  expect(names).toEqual(expect.arrayContaining(['page/epoch', 'page/device']))
  expect(names.length).toBeGreaterThan(6)
  for (const name of names) {
    const again = openBrowser()
    for (const [key, value] of data.records) again.data.records.set(key, value)
    for (const [key, entries] of data.logs) again.data.logs.set(key, [...entries])
    const { peer } = await again.openPage({ over: (store) => damaged(store, name) })
    expect(peer.state().standing, name).toBe('leader')
    expect(peer.state().problem, name).toBeUndefined()
    expect(peer.chats.list(), name).toHaveLength(2)
    const fresh = await peer.chats.create()
    await peer.chats.rename(fresh, 'after it')
    expect(peer.chats.get(fresh)?.title, name).toBe('after it')
    await peer.close()
  }
})
