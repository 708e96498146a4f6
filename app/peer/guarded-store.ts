import type { Store } from '../../mesh/base/index.ts'
import { movedError } from './remote/moved.ts'

/**
 * The store of a profile as the tab that holds the peer may write it: once another tab
 * leads, every write is refused, so that there is one writer.
 * @throws MeshError `peer-gone` (see `isMoved`) for writes of a tab that does not lead.
 */
export function guardStore(store: Store, mayWrite: () => Promise<boolean>): Store {
  const guard = async <Value>(write: () => Promise<Value>): Promise<Value> => {
    if (!(await mayWrite())) throw movedError()
    return write()
  }
  return {
    get: (key, options) => store.get(key, options),
    list: (prefix, options) => store.list(prefix, options),
    readLog: (log, after, options) => store.readLog(log, after, options),
    put(key, value, options) {
      // the caller may change its bytes once the call was made
      const copy = value.slice()
      return guard(() => store.put(key, copy, options))
    },
    delete: (key, options) => guard(() => store.delete(key, options)),
    append(log, entries, options) {
      const copies = entries.map((entry) => entry.slice())
      return guard(() => store.append(log, copies, options))
    },
    dropLog: (log, options) => guard(() => store.dropLog(log, options)),
    close: () => store.close(),
  }
}
