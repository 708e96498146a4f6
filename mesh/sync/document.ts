import type { DeviceId, DocumentId, EventSource, ScopeId } from '../base/index.ts'
import type { Options } from './options.ts'

/** How the content of a document merges; see kinds.ts. */
export type DocumentKind = 'operations' | 'settings'

/** What identifies a document: the three together. Nobody can give a known document another scope or kind. */
export interface DocumentName {
  readonly id: DocumentId
  readonly kind: DocumentKind
  readonly scope: ScopeId
}

/** One operation, or the value of one setting. */
export interface Operation {
  readonly bytes: Uint8Array
  readonly author: DeviceId
  /** The author's wall clock when it was written, ms since 1970: a claim. */
  readonly at: number
}

/** Whether something was written while its author might: here before, told by another to have been, or late. */
export type Timing = 'before' | 'told' | 'late'

/** What is said of operations without their being others: where ends were told, or rights are others. */
export interface JudgementChange {
  /** Chains of which something was told; undefined: it may be any. */
  readonly chains?: ReadonlySet<number> | undefined
}

/** What changed in a document that is open. */
export interface DocumentChange {
  /** Ids that are new or have another value. */
  readonly added: readonly string[]
  readonly erased: readonly string[]
  readonly author: DeviceId
}

/** Up to which sequence each chain is held: chain to sequence. */
export type Vector = ReadonlyMap<number, number>

/** A document in use. */
export interface Document {
  readonly name: DocumentName
  vector(): Vector
  /** By operation id, or by name of the setting. What is in it is durable. Not to be changed by the caller. */
  operations(): ReadonlyMap<string, Operation>
  /**
   * Adds operations, or sets settings (`id` is then the setting's name, and must be
   * absent otherwise). All or none; resolves to their ids once they are durable here.
   * @throws MeshError `too-large`, `usage`, `unauthorized`, `storage-full`, `storage-failed`, `aborted`
   */
  write(entries: readonly { readonly id?: string; readonly bytes: Uint8Array }[], options?: Options): Promise<string[]>
  /**
   * Forgets own operations for good, here and on every device that hears of it; or unsets settings.
   * @throws MeshError `unauthorized` for another author's operation, and as `write`
   */
  erase(ids: readonly string[], options?: Options): Promise<void>
  readonly changes: EventSource<DocumentChange>
  /** True while something of it is damaged here and did not come back from another device. */
  isDamaged(): boolean
  /**
   * When a device that may write first told that an operation is there, of an author who may not any more:
   * of several that claim to be the same the smallest is the one to be believed. Infinite where nobody did.
   */
  rankOf(id: string): number
  /**
   * Whether an operation was there when its author might write, as far as anybody who may says. By what is
   * `late` nothing may be done to what others wrote; what is not was there.
   */
  timingOf(id: string): Timing
  /** {@link Document.rankOf} and {@link Document.timingOf} may say something else. */
  readonly judgements: EventSource<JudgementChange>
  /** True while this author may write in it. */
  mayWrite(author: DeviceId): boolean
  /** Stops keeping it in memory; it is still stored and synchronised. */
  close(): void
}

/** An author of whom nothing more is taken in one document, while it may write. */
export interface Quarantine {
  readonly document: DocumentName
  readonly author: DeviceId
  /** What it did, in words. */
  readonly reason: string
  /** When it was seen here, ms since 1970. */
  readonly at: number
}
