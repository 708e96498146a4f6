import { isMeshError } from './errors.ts'
import { LOG_GAP_MAX_ENTRIES } from './limits.ts'
import type { Logger } from './log.ts'
import type { LogEntry, ReadEntry, ReadRecord, Store, StoreOptions } from './store.ts'

/**
 * A record that can be done without: undefined also where it is damaged, which the log
 * is told. Whoever reads it makes it anew, as if it had never been written.
 * @throws MeshError of the store, but for what is damaged
 */
export async function getWhole(
  store: Pick<Store, 'get'>,
  key: string,
  log: Logger,
  options: StoreOptions = {},
): Promise<Uint8Array | undefined> {
  try {
    return await store.get(key, options)
  } catch (error) {
    if (!isMeshError(error, 'storage-corrupt')) throw error
    log.warn('a stored record is damaged and is made anew', { key, error })
    return undefined
  }
}

/** The records that are whole; the log is told of each other. */
export function wholeRecords(records: readonly ReadRecord[], log: Logger): { key: string; value: Uint8Array }[] {
  return records.flatMap(({ key, value }) => {
    if (value !== undefined) return [{ key, value }]
    log.warn('a stored record is damaged and is left out', { key })
    return []
  })
}

/** The entries of a log that are whole; the log of this program is told how many are not. */
export function wholeEntries(name: string, entries: readonly ReadEntry[], log: Logger): LogEntry[] {
  const whole = entries.flatMap(({ sequence, bytes }) => (bytes === undefined ? [] : [{ sequence, bytes }]))
  const damaged = entries.length - whole.length
  if (damaged > 0) log.warn('entries of a stored log are damaged and are left out', { name, damaged })
  return whole
}

/**
 * The entries of a log that were read after a place, with those told as damaged that are not there any more: the
 * numbers of a log are dense, so one that is missing was taken by damage, or by somebody's hand. At most
 * {@link LOG_GAP_MAX_ENTRIES} of one gap are told: a wrong bit can make any number of another.
 */
export function withGaps<Entry extends ReadEntry>(entries: readonly Entry[], after: number): (Entry | Gone)[] {
  const told: (Entry | Gone)[] = []
  let next = after + 1
  for (const entry of entries) {
    const end = Math.min(entry.sequence, next + LOG_GAP_MAX_ENTRIES)
    for (; next < end; next++) told.push({ sequence: next, bytes: undefined })
    told.push(entry)
    next = entry.sequence + 1
  }
  return told
}

/** A number of a log without an entry. */
interface Gone {
  readonly sequence: number
  readonly bytes: undefined
}
