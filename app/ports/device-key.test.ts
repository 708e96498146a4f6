import 'fake-indexeddb/auto'
import { openDB } from 'idb'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { silentLogger, type PlatformStore } from '../../mesh/base/index.ts'
import { openVault, type LockedVault, type OpenVault } from '../../mesh/seal/index.ts'
import { createVirtualClock } from '../../tests/kit/clock.ts'
import { createSeededRandom } from '../../tests/kit/random.ts'
import { CHEAP } from '../../tests/kit/vault.ts'
import { createBrowserKey } from './device-key.ts'
import { openIdbStore } from './idb-store.ts'

const random = createSeededRandom('browser key')
const text = (value: string): Uint8Array => new TextEncoder().encode(value)
let count = 0

afterEach(() => {
  vi.unstubAllGlobals()
})

const openIn = async (name: string): Promise<{ inner: PlatformStore; vault: OpenVault | LockedVault }> => {
  const inner = await openIdbStore({ name, log: silentLogger })
  const device = createBrowserKey(`${name}-key`, random)
  const clock = createVirtualClock()
  return { inner, vault: await openVault({ inner, device, random, clock, cost: CHEAP, alone: (work) => work() }) }
}

/** Every key and value of every object store of a database, as text in which each byte is a character. */
async function everythingIn(name: string): Promise<string> {
  const database = await openDB(name)
  const found: unknown[] = []
  for (const store of database.objectStoreNames) {
    const values: readonly unknown[] = await database.getAll(store)
    found.push(...(await database.getAllKeys(store)), ...values)
  }
  database.close()
  return found
    .map((part) => (part instanceof Uint8Array ? Buffer.from(part).toString('latin1') : String(part)))
    .join('\n')
}

describe('the key of a browser', () => {
  it('opens what it sealed, and gives its bytes to nobody', async () => {
    const name = `key-${String(count++)}`
    const keeper = createBrowserKey(name, random)
    expect(await keeper.load()).toBeUndefined()
    const box = await (await keeper.make()).seal(text('words'), text('here'), random)
    const again = createBrowserKey(name, random)
    expect(await (await again.load())?.open(box, text('here'))).toEqual(text('words'))
    const database = await openDB(name)
    const kept = (await database.get('keys', 'device')) as CryptoKey
    database.close()
    expect(kept.extractable).toBe(false)
    await expect(crypto.subtle.exportKey('raw', kept)).rejects.toThrow('extractable')
    await again.forget()
    expect(await keeper.load()).toBeUndefined()
  })

  it('works on a page that came by plain HTTP, where there is no WebCrypto', async () => {
    vi.stubGlobal('crypto', { subtle: undefined })
    const keeper = createBrowserKey(`key-${String(count++)}`, random)
    const box = await (await keeper.make()).seal(text('words'), text('here'), random)
    expect(await (await keeper.load())?.open(box, text('here'))).toEqual(text('words'))
  })
})

describe('the vault of a browser', () => {
  it('seals what an earlier version of the page wrote: no word of it is left in the database', async () => {
    const name = `vault-${String(count++)}`
    const older = await openDB(name, 1, {
      upgrade(database) {
        database.createObjectStore('records')
        database.createObjectStore('logs')
      },
    })
    await older.put('records', text('the secret key'), 'identity/key')
    for (const sequence of [1, 2, 3])
      await older.put('logs', text(`heron ${String(sequence)}`), ['chats/log/a', sequence])
    older.close()
    expect(await everythingIn(name)).toContain('heron')

    const { inner, vault } = await openIn(name)
    if (vault.state !== 'open') throw new TypeError('locked')
    expect(await vault.store.get('identity/key')).toEqual(text('the secret key'))
    const log = await vault.store.readLog('chats/log/a', 0)
    expect(log.map(({ sequence, bytes }) => [sequence, new TextDecoder().decode(bytes)])).toEqual([
      [1, 'heron 1'],
      [2, 'heron 2'],
      [3, 'heron 3'],
    ])
    await inner.close()
    const after = await everythingIn(name)
    for (const secret of ['heron', 'secret key']) expect(after).not.toContain(secret)
  })

  it('with a passphrase keeps no key, and opens with it in the next tab', async () => {
    const name = `vault-${String(count++)}`
    const first = await openIn(name)
    if (first.vault.state !== 'open') throw new TypeError('locked')
    await first.vault.store.put('key', text('heron'))
    await first.vault.setPassphrase('a heron in the rain')
    await first.inner.close()
    expect(await everythingIn(`${name}-key`)).toBe('')
    const second = await openIn(name)
    if (second.vault.state !== 'locked') throw new TypeError('open')
    const opened = await second.vault.unlock({ kind: 'passphrase', passphrase: 'a heron in the rain' })
    expect(await opened.store.get('key')).toEqual(text('heron'))
    await second.inner.close()
  })
})
