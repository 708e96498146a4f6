import { MeshError, throwIfAborted, type LogEntry, type Store } from '../../mesh/base/index.ts'

/**
 * A Store that lasts as long as the tab: for browsers that refuse to store anything
 * (private windows), and always said to the person, because nothing in it survives.
 */
export function createVolatileStore(): Store {
  const records = new Map<string, Uint8Array>()
  const logs = new Map<string, LogEntry[]>()
  let closed = false

  const use = async <Value>(signal: AbortSignal | undefined, work: () => Value): Promise<Value> => {
    await Promise.resolve()
    throwIfAborted(signal)
    if (closed) throw new MeshError('storage-failed', 'The store is closed.')
    return work()
  }
  const copy = (bytes: Uint8Array): Uint8Array => new Uint8Array(bytes)

  return {
    get: (key, { signal } = {}) =>
      use(signal, () => {
        const bytes = records.get(key)
        return bytes === undefined ? undefined : copy(bytes)
      }),
    put(key, value, { signal } = {}) {
      const own = copy(value)
      return use(signal, () => {
        records.set(key, own)
      })
    },
    delete: (key, { signal } = {}) =>
      use(signal, () => {
        records.delete(key)
      }),
    list: (prefix, { signal } = {}) =>
      use(signal, () =>
        [...records]
          .filter(([key]) => key.startsWith(prefix))
          .sort(([a], [b]) => (a < b ? -1 : 1))
          .map(([key, value]) => ({ key, value: copy(value) })),
      ),
    append(log, entries, { signal } = {}) {
      const own = entries.map(copy)
      return use(signal, () => {
        const known = logs.get(log) ?? []
        logs.set(log, known)
        for (const bytes of own) known.push({ sequence: known.length + 1, bytes })
        return known.length
      })
    },
    readLog: (log, after, { signal, through } = {}) =>
      use(signal, () =>
        (logs.get(log) ?? []).slice(after, through).map(({ sequence, bytes }) => ({ sequence, bytes: copy(bytes) })),
      ),
    dropLog: (log, { signal } = {}) =>
      use(signal, () => {
        logs.delete(log)
      }),
    async close() {
      await Promise.resolve()
      closed = true
    },
  }
}
