import 'fake-indexeddb/auto'
import { IDBFactory } from 'fake-indexeddb'
import { openDB } from 'idb'
import { beforeEach, describe, expect, it } from 'vitest'
import { MeshError } from '../../mesh/base/index.ts'
import { wipeBrowser } from './wipe.ts'

/** As much of a window as the wipe touches. */
function fakeWindow(): {
  readonly window: Window
  readonly preferences: Record<string, string>
  readonly caches: Set<string>
  readonly visited: string[]
  unregistered: number
} {
  const preferences: Record<string, string> = { 'plexus.theme': 'dark', 'plexus.draft.new': 'hidden', other: 'kept' }
  Object.defineProperty(preferences, 'removeItem', {
    value: (key: string) => {
      Reflect.deleteProperty(preferences, key)
    },
  })
  const caches = new Set(['workbox-precache-v2-https://host.example/app/', 'workbox-precache-v2-https://host.example/'])
  const visited: string[] = []
  const state = { preferences, caches, visited, unregistered: 0 }
  const window = {
    indexedDB,
    localStorage: preferences,
    location: {
      href: 'https://host.example/app/?view=security',
      pathname: '/app/',
      replace: (to: string) => visited.push(to),
    },
    caches: {
      keys: () => Promise.resolve([...caches]),
      delete: (name: string) => Promise.resolve(caches.delete(name)),
    },
    navigator: {
      serviceWorker: {
        getRegistration: () =>
          Promise.resolve({
            unregister: () => {
              state.unregistered += 1
              return Promise.resolve(true)
            },
          }),
      },
    },
  }
  return Object.assign(state, { window: window as unknown as Window })
}

const open = async (name: string): Promise<{ close: () => void }> => openDB(name, 1)
const names = async (): Promise<(string | undefined)[]> => (await indexedDB.databases()).map(({ name }) => name)

describe('deleting everything here', () => {
  // a browser of its own: everything in it is looked at
  beforeEach(() => {
    globalThis.indexedDB = new IDBFactory()
  })

  it('leaves no database, preference or stored page of ours, and all of others', async () => {
    const store = await open('plexus')
    ;(await open('plexus-keys')).close()
    ;(await open('somebody-else')).close()
    const fake = fakeWindow()
    await wipeBrowser({
      window: fake.window,
      prefix: 'plexus',
      close: () => {
        store.close()
        return Promise.resolve()
      },
    })
    expect(await names()).toEqual(['somebody-else'])
    expect(Object.keys(fake.preferences)).toEqual(['other'])
    expect([...fake.caches]).toEqual(['workbox-precache-v2-https://host.example/'])
    expect([fake.unregistered, fake.visited]).toEqual([1, ['/app/']])
  })

  it('deletes the rest when one part fails, says so, and does not pretend to have begun anew', async () => {
    ;(await open('plexus')).close()
    const fake = fakeWindow()
    Object.assign(fake.window.caches, { keys: () => Promise.reject(new DOMException('Blocked.')) })
    const wiped = wipeBrowser({ window: fake.window, prefix: 'plexus', close: () => Promise.resolve() })
    await expect(wiped).rejects.toMatchObject({ code: 'storage-failed', message: expect.stringContaining('Blocked.') })
    expect(await names()).not.toContain('plexus')
    expect(fake.visited).toEqual([])
  })

  it('deletes nothing while the peer could not let go', async () => {
    ;(await open('plexus')).close()
    const fake = fakeWindow()
    const close = (): Promise<void> => Promise.reject(new MeshError('storage-failed', 'Still writing.'))
    await expect(wipeBrowser({ window: fake.window, prefix: 'plexus', close })).rejects.toThrow('Still writing.')
    expect(await names()).toContain('plexus')
    expect(fake.preferences['plexus.theme']).toBe('dark')
  })
})
