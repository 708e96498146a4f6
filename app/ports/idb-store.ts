import { openDB, type DBSchema, type IDBPDatabase, type IDBPTransaction } from 'idb'
import {
  MeshError,
  messageOf,
  throwIfAborted,
  type LogEntry,
  type Logger,
  type PlatformStore,
} from '../../mesh/base/index.ts'

/**
 * 2: what is stored is sealed. The form is the same; the number ends pages that would
 * write beside it what is not.
 */
const VERSION = 2
const NEWEST = Number.MAX_SAFE_INTEGER

interface Schema extends DBSchema {
  records: { key: string; value: Uint8Array }
  /** Keyed by log and number, so that a log is one range. */
  logs: { key: [string, number]; value: Uint8Array }
}

type Database = IDBPDatabase<Schema>
type Transaction = IDBPTransaction<Schema, 'logs'[], 'readwrite'>

/** What the browser's store needs. */
export interface IdbStoreOptions {
  /** Name of the database of this origin. */
  readonly name: string
  readonly log: Logger
  /**
   * Told when tabs with an older version of the page hold the database, or when this
   * tab is the older one. The sentence is for the person.
   */
  readonly onBlocked?: ((error: MeshError) => void) | undefined
}

/**
 * The browser's Store: IndexedDB, each write in one transaction with strict
 * durability. A connection that the browser lost (iOS in the background) is opened
 * again and the call repeated once.
 * @throws MeshError `storage-failed` when the browser refuses to open it.
 */
export async function openIdbStore(options: IdbStoreOptions): Promise<PlatformStore> {
  const connection = createConnection(options)
  await connection.get()
  return createStore(connection)
}

interface Connection {
  get(): Promise<Database>
  /** Forgets a connection that turned out dead. */
  drop(database: Database): void
  close(): Promise<void>
}

function createConnection(options: IdbStoreOptions): Connection {
  let current: Promise<Database> | undefined
  let closed = false
  let outdated: MeshError | undefined

  const tellBlocked = (sentence: string): MeshError => {
    const error = new MeshError('storage-failed', sentence)
    options.log.warn('the database is held by another version of the page')
    options.onBlocked?.(error)
    return error
  }

  const open = async (): Promise<Database> => {
    const opening = openDB<Schema>(options.name, VERSION, {
      upgrade(database, oldVersion) {
        if (oldVersion >= 1) return
        database.createObjectStore('records')
        database.createObjectStore('logs')
      },
      blocked() {
        tellBlocked('Another tab with an older version of this page is open. Close it, then this one goes on.')
      },
      blocking(_current, _blocked, event) {
        // an older tab lets go, so that the newer one can upgrade; writes here are refused from now on
        outdated = tellBlocked('A newer version of this page runs in another tab. Reload this one.')
        ;(event.target as IDBDatabase).close()
        current = undefined
      },
      terminated() {
        options.log.warn('the browser closed the database; it is opened again at the next use')
        current = undefined
      },
    })
    try {
      return await opening
    } catch (error) {
      current = undefined
      throw failureOf(error)
    }
  }

  return {
    get() {
      if (closed) return Promise.reject(new MeshError('storage-failed', 'The store is closed.'))
      if (outdated !== undefined) return Promise.reject(outdated)
      current ??= open()
      return current
    },
    drop(database) {
      current = undefined
      database.close()
    },
    async close() {
      if (closed) return
      closed = true
      const database = await current
      database?.close()
    },
  }
}

function createStore(connection: Connection): PlatformStore {
  /** Runs the work; once more on a fresh connection when the old one was dead. */
  const run = async <Value>(
    signal: AbortSignal | undefined,
    work: (database: Database, again: boolean) => Promise<Value>,
  ): Promise<Value> => {
    throwIfAborted(signal)
    const database = await connection.get()
    try {
      return await work(database, false)
    } catch (error) {
      if (!isLost(error)) throw failureOf(error)
      connection.drop(database)
    }
    try {
      return await work(await connection.get(), true)
    } catch (error) {
      throw failureOf(error)
    }
  }

  return {
    get: (key, { signal } = {}) => run(signal, (database) => database.get('records', key)),

    async put(key, value, { signal } = {}) {
      const copy = new Uint8Array(value)
      await run(signal, async (database) => {
        const transaction = database.transaction('records', 'readwrite', { durability: 'strict' })
        await Promise.all([transaction.store.put(copy, key), transaction.done])
      })
    },

    delete: (key, { signal } = {}) =>
      run(signal, async (database) => {
        const transaction = database.transaction('records', 'readwrite', { durability: 'strict' })
        await Promise.all([transaction.store.delete(key), transaction.done])
      }),

    list: (prefix, { signal } = {}) =>
      run(signal, async (database) => {
        const range = IDBKeyRange.bound(prefix, `${prefix}\uffff`)
        const transaction = database.transaction('records', 'readonly')
        const [keys, values] = await Promise.all([transaction.store.getAllKeys(range), transaction.store.getAll(range)])
        return keys.map((key, index) => ({ key, value: values[index] ?? new Uint8Array() }))
      }),

    append(log, entries, { signal } = {}) {
      const copies = entries.map((entry) => new Uint8Array(entry))
      return run(signal, async (database, again) => {
        const transaction = database.transaction(['logs'], 'readwrite', { durability: 'strict' })
        const appended = again ? appendUnlessThere(transaction, log, copies) : appendTo(transaction, log, copies)
        const [last] = await Promise.all([appended, transaction.done])
        return last
      })
    },

    readLog: (log, after, { signal, through } = {}) =>
      run(signal, async (database) => {
        if (through !== undefined && through <= after) return []
        const range = rangeOf(log, after + 1, through)
        const store = database.transaction('logs', 'readonly').store
        const [keys, values] = await Promise.all([store.getAllKeys(range), store.getAll(range)])
        return keys.map(([, sequence], index) => ({ sequence, bytes: values[index] ?? new Uint8Array() }))
      }),

    dropLog: (log, { signal } = {}) =>
      run(signal, async (database) => {
        const transaction = database.transaction('logs', 'readwrite', { durability: 'strict' })
        await Promise.all([transaction.store.delete(rangeOf(log, 0)), transaction.done])
      }),

    logs: ({ signal } = {}) =>
      run(signal, async (database) => {
        const names: string[] = []
        let cursor = await database.transaction('logs', 'readonly').store.openKeyCursor()
        while (cursor !== null) {
          const [name] = cursor.key
          names.push(name)
          cursor = await cursor.continue([name, Infinity])
        }
        return names
      }),

    // the browser gives no way to tidy its files: it does so when it likes
    scrub: ({ signal } = {}) => run(signal, () => Promise.resolve()),

    close: () => connection.close(),
  }
}

function rangeOf(log: string, from: number, through = NEWEST): IDBKeyRange {
  return IDBKeyRange.bound([log, from], [log, through])
}

async function appendTo(transaction: Transaction, log: string, entries: readonly Uint8Array[]): Promise<number> {
  const store = transaction.objectStore('logs')
  const cursor = await store.openKeyCursor(rangeOf(log, 0), 'prev')
  const last = cursor?.key[1] ?? 0
  await Promise.all(entries.map((entry, index) => store.put(entry, [log, last + index + 1])))
  return last + entries.length
}

/** After a lost connection nobody knows whether the transaction was committed: look before repeating it. */
async function appendUnlessThere(
  transaction: Transaction,
  log: string,
  entries: readonly Uint8Array[],
): Promise<number> {
  const store = transaction.objectStore('logs')
  const tail: LogEntry[] = []
  let cursor = await store.openCursor(rangeOf(log, 0), 'prev')
  while (cursor !== null && tail.length < entries.length) {
    tail.unshift({ sequence: cursor.key[1], bytes: cursor.value })
    cursor = await cursor.continue()
  }
  const isThere = tail.length === entries.length && tail.every((entry, index) => isSame(entry.bytes, entries[index]))
  return isThere && entries.length > 0 ? (tail.at(-1)?.sequence ?? 0) : appendTo(transaction, log, entries)
}

function isSame(a: Uint8Array, b: Uint8Array | undefined): boolean {
  return b !== undefined && a.length === b.length && a.every((value, index) => value === b[index])
}

/** `InvalidStateError`: the connection is closed; `UnknownError`: WebKit lost its database process. */
function isLost(error: unknown): boolean {
  return error instanceof DOMException && (error.name === 'InvalidStateError' || error.name === 'UnknownError')
}

function failureOf(error: unknown): MeshError {
  if (error instanceof MeshError) return error
  const name = error instanceof DOMException ? error.name : ''
  if (name === 'QuotaExceededError') {
    const sentence = 'This browser has no more room for Plexus. Make room on this device, or delete chats.'
    return new MeshError('storage-full', sentence, { cause: error })
  }
  if (name === 'VersionError') {
    const sentence = 'The data was written by a newer version of this page. Reload it.'
    return new MeshError('storage-failed', sentence, { cause: error })
  }
  if (name === 'DataError' || name === 'DataCloneError' || name === 'NotReadableError') {
    return new MeshError('storage-corrupt', `Stored data could not be read: ${messageOf(error)}.`, { cause: error })
  }
  return new MeshError('storage-failed', `This browser did not store or give the data: ${messageOf(error)}.`, {
    cause: error,
  })
}
