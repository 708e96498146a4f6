import { LEDGER_WAITING_MAX, LEDGER_WAITING_MAX_BYTES, type EntryHash } from '../../base/index.ts'
import type { LedgerEntry } from './entry.ts'

/** An entry held until what it links has come. */
export interface WaitingEntry {
  readonly entry: LedgerEntry
  /** True: it came from this device's own store and need not be written again. */
  readonly isStored: boolean
}

/** Entries that came before those they link. Bounded: the oldest is forgotten, and comes again. */
export interface Waiting {
  readonly size: number
  has(hash: EntryHash): boolean
  add(waiting: WaitingEntry): void
  delete(hash: EntryHash): void
  all(): readonly WaitingEntry[]
  /** Those that link this entry. */
  linking(hash: EntryHash): readonly WaitingEntry[]
}

/** An empty room to wait in. */
export function createWaiting(): Waiting {
  const held = new Map<EntryHash, WaitingEntry>()
  const byParent = new Map<EntryHash, Set<WaitingEntry>>()
  let bytes = 0

  const drop = (hash: EntryHash): void => {
    const waiting = held.get(hash)
    if (waiting === undefined) return
    held.delete(hash)
    for (const parent of waiting.entry.parents) {
      const linking = byParent.get(parent)
      linking?.delete(waiting)
      if (linking?.size === 0) byParent.delete(parent)
    }
    bytes -= waiting.entry.bytes.byteLength
  }

  return {
    get size() {
      return held.size
    },
    has: (hash) => held.has(hash),
    add(waiting) {
      drop(waiting.entry.hash)
      held.set(waiting.entry.hash, waiting)
      for (const parent of waiting.entry.parents) byParent.set(parent, (byParent.get(parent) ?? new Set()).add(waiting))
      bytes += waiting.entry.bytes.byteLength
      for (const oldest of held.keys()) {
        if (held.size <= LEDGER_WAITING_MAX && bytes <= LEDGER_WAITING_MAX_BYTES) break
        drop(oldest)
      }
    },
    delete: drop,
    all: () => [...held.values()],
    linking: (hash) => [...(byParent.get(hash) ?? [])],
  }
}
