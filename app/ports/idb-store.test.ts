import 'fake-indexeddb/auto'
import { deleteDB, openDB } from 'idb'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { silentLogger, type PlatformStore, type Store } from '../../mesh/base/index.ts'
import { platformStoreContract } from '../../tests/contract/platform-store.contract.ts'
import { sealedStoreContract } from '../../tests/contract/store-sealed.contract.ts'
import { storeContract } from '../../tests/contract/store.contract.ts'
import { until } from '../../tests/kit/wait.ts'
import { openIdbStore } from './idb-store.ts'

let count = 0
const open = (name: string): Promise<PlatformStore> => openIdbStore({ name, log: silentLogger })

storeContract('of the browser (IndexedDB)', () => {
  const name = `contract-${String(count++)}`
  let current: Store | undefined
  return Promise.resolve({
    async open() {
      await current?.close()
      current = await open(name)
      return current
    },
    async clear() {
      await current?.close()
      await deleteDB(name)
    },
  })
})

sealedStoreContract(
  'sealed, over the browser’s (IndexedDB)',
  () => {
    const name = `sealed-${String(count++)}`
    return () => open(name)
  },
  () => deleteDB(`sealed-${String(count - 1)}`),
)
platformStoreContract('of the browser (IndexedDB)', () => open(`platform-${String(count++)}`))

afterEach(() => {
  vi.restoreAllMocks()
})

/** Makes the next call of an IndexedDB method fail as a browser would. */
function failOnce(prototype: object, method: string, error: DOMException, beforeFailing?: () => void): void {
  const owner = prototype as Record<string, (...args: unknown[]) => unknown>
  const real = owner[method]
  vi.spyOn(owner, method).mockImplementationOnce(function (this: unknown, ...args: unknown[]) {
    if (beforeFailing !== undefined) {
      beforeFailing()
      real?.apply(this, args)
    }
    throw error
  })
}

describe('the store of the browser', () => {
  it('opens the database again when the browser lost the connection, and repeats the call', async () => {
    const store = await open('lost')
    await store.append('log', [new Uint8Array([1])])
    for (const name of ['InvalidStateError', 'UnknownError']) {
      failOnce(
        IDBDatabase.prototype,
        'transaction',
        new DOMException('Connection to Indexed Database server lost', name),
      )
      await store.put('key', new Uint8Array([2]))
      expect([...((await store.get('key')) ?? [])]).toEqual([2])
    }
    await store.close()
  })

  it('does not append twice when the connection was lost after the transaction had been committed', async () => {
    const store = await open('twice')
    await store.append('log', [new Uint8Array([1])])
    const entry = new Uint8Array([2, 3])
    const second = await open('twice')
    // the write of the lost connection arrived all the same
    await second.append('log', [entry])
    await second.close()
    failOnce(IDBDatabase.prototype, 'transaction', new DOMException('lost', 'UnknownError'))
    expect(await store.append('log', [entry])).toBe(2)
    expect(await store.readLog('log', 0)).toHaveLength(2)
    await store.close()
  })

  it('says that there is no more room, and keeps what was there', async () => {
    const store = await open('quota')
    await store.put('key', new Uint8Array([1]))
    failOnce(IDBObjectStore.prototype, 'put', new DOMException('full', 'QuotaExceededError'))
    await expect(store.put('key', new Uint8Array([2]))).rejects.toMatchObject({ code: 'storage-full' })
    expect([...((await store.get('key')) ?? [])]).toEqual([1])
    await store.close()
  })

  it('writes with strict durability', async () => {
    const store = await open('strict')
    const spy = vi.spyOn(IDBDatabase.prototype, 'transaction')
    await store.put('key', new Uint8Array([1]))
    await store.append('log', [new Uint8Array([1])])
    await store.delete('key')
    await store.dropLog('log')
    const writes = spy.mock.calls.filter(([, mode]) => mode === 'readwrite')
    expect(writes).toHaveLength(4)
    expect(writes.every(([, , given]) => given?.durability === 'strict')).toBe(true)
    await store.close()
  })

  it('lets a newer version of the page have the database, and says so to the older tab', async () => {
    const told: string[] = []
    const store = await openIdbStore({
      name: 'upgrade',
      log: silentLogger,
      onBlocked: (error) => told.push(error.message),
    })
    const newer = await openDB('upgrade', 3)
    await until(() => told.length > 0, { what: 'the older tab to be told' })
    await expect(store.put('key', new Uint8Array([1]))).rejects.toMatchObject({ code: 'storage-failed' })
    newer.close()
    await expect(open('upgrade')).rejects.toMatchObject({ code: 'storage-failed' })
    await store.close()
  })

  it('ends a page that writes what is not sealed, and has all that it wrote', async () => {
    const older = await openDB('unsealed', 1, {
      upgrade(database) {
        database.createObjectStore('records')
        database.createObjectStore('logs')
      },
      blocking(_current, _blocked, event) {
        ;(event.target as IDBDatabase).close()
      },
    })
    await older.put('records', new Uint8Array([1]), 'key')
    const store = await open('unsealed')
    expect(await store.get('key')).toEqual(new Uint8Array([1]))
    await expect(older.put('records', new Uint8Array([2]), 'key')).rejects.toMatchObject({ name: 'InvalidStateError' })
    await store.close()
  })
})
