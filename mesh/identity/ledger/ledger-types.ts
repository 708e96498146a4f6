import type { Clock, EntryHash, ErrorCode, EventSource, Logger, MeshId, Store } from '../../base/index.ts'
import type { DeviceKey } from '../device-key.ts'
import type { EntryFields, LedgerEntry } from './entry.ts'
import type { LedgerState } from './state.ts'

/** What every asynchronous call takes. */
export interface Cancellable {
  readonly signal?: AbortSignal | undefined
}

/** What the ledger stands on. */
export interface LedgerPorts {
  readonly store: Store
  readonly clock: Clock
  readonly log: Logger
  readonly key: DeviceKey
}

/** Entries were added, durably; `state` is the fold with them. */
export interface LedgerChange {
  readonly added: readonly LedgerEntry[]
  readonly state: LedgerState
  readonly before: LedgerState
}

/** What became of entries told by another device. */
export interface TakeResult {
  /** New and durable; whether they count is in `state().ignored`. What is void by what it saw is refused. */
  readonly added: readonly EntryHash[]
  /** How many wait for entries they link. */
  readonly waiting: number
  /** More than their authors may fill now: taken when they have room again, or when another's entry links them. */
  readonly deferred: readonly EntryHash[]
  /** What was not taken, by place in the list. */
  readonly refused: readonly { readonly index: number; readonly code: ErrorCode; readonly reason: string }[]
}

/** What could not be read of the stored ledger. It comes back from any other device. */
export interface LedgerDamage {
  /** Stored entries that cannot be read. */
  readonly corrupt: number
  /** Entries that wait for entries they link. */
  readonly waiting: number
}

/**
 * The ledger of one mesh on this device. Entries are only ever added: nothing another
 * device tells takes anything away. Whatever is visible here is durable.
 */
export interface Ledger {
  readonly mesh: MeshId
  readonly changes: EventSource<LedgerChange>
  /** The fold of all entries; the same object until something is added. */
  state(): LedgerState
  /** The entries no other links, sorted. */
  heads(): readonly EntryHash[]
  /** What an entry made now links: of the heads the deepest, as many as one may link. */
  nextParents(): readonly EntryHash[]
  /** All entries in the common order: by depth, then by hash. */
  entries(): readonly LedgerEntry[]
  entry(hash: EntryHash): LedgerEntry | undefined
  /** True when `ancestor` is in the causal past of `entry`, or is that entry. */
  saw(entry: EntryHash, ancestor: EntryHash): boolean
  /**
   * Signs and adds an entry of this device that links the present heads. Resolves when
   * it is durable.
   * @throws MeshError `unauthorized`, `conflict`, `usage`, or of the store; nothing is added then
   */
  append(draft: EntryFields, options?: Cancellable): Promise<LedgerEntry>
  /**
   * Takes entries told by any device, in any order, any number of times. Each is
   * verified; one that came before an entry it links is held until that one comes.
   * @throws MeshError only of the store; nothing is added then
   */
  take(entries: readonly Uint8Array[], options?: Cancellable): Promise<TakeResult>
  /** The signed bytes that a device with these heads lacks, in the common order. Heads not known here are skipped. */
  missingFor(heads: readonly EntryHash[]): readonly Uint8Array[]
  /** Entries that others link and this device lacks. */
  wanted(): readonly EntryHash[]
  /** True when the entry was refused or put off within the hour: nobody need be asked for it now. */
  wasLeftOut(hash: EntryHash): boolean
  /** When this device first saw the entry, by its own clock, ms since 1970. */
  receivedAt(hash: EntryHash): number | undefined
  damage(): LedgerDamage
}
