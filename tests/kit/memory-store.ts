import {
  MeshError,
  throwIfAborted,
  withGaps,
  type ErrorCode,
  type LogEntry,
  type PlatformStore,
} from '../../mesh/base/index.ts'

/** What a memory store holds. Two stores over one of these are two tabs of one profile. */
export interface MemoryData {
  readonly records: Map<string, Uint8Array>
  readonly logs: Map<string, LogEntry[]>
}

/** A fault of the disk under a store. */
export interface WriteFault {
  readonly code: Extract<ErrorCode, 'storage-full' | 'storage-failed' | 'storage-corrupt'>
  /** The first write that fails, counted from now; 1 is the next. */
  readonly atWrite: number
  /** How many writes fail from there on; default 1. */
  readonly count?: number
  /** A power cut in the middle: the first half is kept, the last entry of it cut short. */
  readonly torn?: boolean
  /** A disk without room: what frees some goes on. */
  readonly isFull?: boolean
}

/** A Store in memory whose disk can be made to fail. */
export interface MemoryStore extends PlatformStore {
  readonly data: MemoryData
  /** Writes (put, delete, append, dropLog, scrub) so far, failed ones among them. */
  readonly writeCount: number
  failWrites(fault: WriteFault): void
  /** Every read fails with this code until called with undefined. */
  failReads(code: WriteFault['code'] | undefined): void
  /** The disk works again. */
  heal(): void
}

/** Fresh data of a memory store. */
export function createMemoryData(): MemoryData {
  return { records: new Map(), logs: new Map() }
}

/** A store over `data` (fresh by default). It keeps the contract of `PlatformStore` but for injected faults. */
export function createMemoryStore(data: MemoryData = createMemoryData()): MemoryStore {
  let writes = 0
  let fault: { readonly from: number; readonly to: number; readonly spec: WriteFault } | undefined
  let readFault: WriteFault['code'] | undefined
  let closed = false

  const open = (signal: AbortSignal | undefined): void => {
    throwIfAborted(signal)
    if (closed) throw new MeshError('storage-failed', 'The store is closed.')
  }
  const read = (signal: AbortSignal | undefined): void => {
    open(signal)
    if (readFault !== undefined) throw new MeshError(readFault, 'The disk did not give the data back.')
  }
  const write = (signal: AbortSignal | undefined, tear: () => void, frees = false): void => {
    open(signal)
    writes += 1
    if (fault === undefined || writes < fault.from || writes > fault.to) return
    if (frees && fault.spec.isFull === true) return
    if (fault.spec.torn === true) tear()
    throw new MeshError(fault.spec.code, 'The disk did not take the data.')
  }
  const nothing = (): void => undefined

  return {
    data,
    get writeCount() {
      return writes
    },
    failWrites(spec) {
      const from = writes + spec.atWrite
      fault = { from, to: from + (spec.count ?? 1) - 1, spec }
    },
    failReads(code) {
      readFault = code
    },
    heal() {
      fault = undefined
      readFault = undefined
    },
    async get(key, options = {}) {
      await Promise.resolve()
      read(options.signal)
      return copyOf(data.records.get(key))
    },
    async put(key, value, options = {}) {
      const copy = copyOf(value)
      await Promise.resolve()
      write(options.signal, nothing)
      data.records.set(key, copy)
    },
    async delete(key, options = {}) {
      await Promise.resolve()
      write(options.signal, nothing, true)
      data.records.delete(key)
    },
    async list(prefix, options = {}) {
      await Promise.resolve()
      read(options.signal)
      return [...data.records]
        .filter(([key]) => key.startsWith(prefix))
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([key, value]) => ({ key, value: copyOf(value) }))
    },
    async append(log, entries, options = {}) {
      const copies = entries.map((entry) => copyOf(entry))
      await Promise.resolve()
      const add = (list: readonly Uint8Array[]): number => {
        const known = data.logs.get(log) ?? []
        for (const bytes of list) known.push({ sequence: (known.at(-1)?.sequence ?? 0) + 1, bytes })
        if (known.length > 0) data.logs.set(log, known)
        return known.at(-1)?.sequence ?? 0
      }
      write(options.signal, () => {
        const half = copies.slice(0, Math.ceil(copies.length / 2))
        const last = half.pop()
        if (last !== undefined) add([...half, last.slice(0, Math.floor(last.length / 2))])
      })
      return add(copies)
    },
    async readLog(log, after, options = {}) {
      await Promise.resolve()
      read(options.signal)
      const entries = data.logs.get(log) ?? []
      // numbered from 1 without gaps, but for what a test took away
      let first = Math.min(after, entries.length)
      while (first > 0 && (entries[first - 1]?.sequence ?? 0) > after) first -= 1
      const { through = Infinity } = options
      const found = entries.slice(first, first + through - after).filter(({ sequence }) => sequence <= through)
      return found.map(({ sequence, bytes }) => ({ sequence, bytes: copyOf(bytes) }))
    },
    async dropLog(log, options = {}) {
      await Promise.resolve()
      write(options.signal, nothing, true)
      data.logs.delete(log)
    },
    async logs(options = {}) {
      await Promise.resolve()
      read(options.signal)
      return [...data.logs].flatMap(([log, entries]) => (entries.length === 0 ? [] : [log])).sort()
    },
    async scrub(options = {}) {
      await Promise.resolve()
      write(options.signal, nothing)
    },
    async close() {
      await Promise.resolve()
      closed = true
    },
  }
}

/** The same store, that tells what is gone from the middle of a log, as a sealed store over it does. */
export function tellingGaps(store: MemoryStore): MemoryStore {
  const read = store.readLog.bind(store)
  const readLog = async (...[log, after, options]: Parameters<typeof read>): Promise<LogEntry[]> =>
    withGaps(await read(log, after, options), after) as LogEntry[]
  return Object.assign(store, { readLog })
}

/** A real copy: `slice` of a Node Buffer shares memory. */
function copyOf<Bytes extends Uint8Array | undefined>(bytes: Bytes): Bytes {
  return (bytes === undefined ? undefined : new Uint8Array(bytes)) as Bytes
}
