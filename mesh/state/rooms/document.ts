import type { DeviceId, EventSource } from '../../base/index.ts'

/** One operation of a document as the layer below holds it. */
export interface StoredOperation {
  readonly bytes: Uint8Array
  /** Proven by the layer below: who signed it. */
  readonly author: DeviceId
  /** ms since 1970 by the author's clock: a claim. */
  readonly at: number
  /**
   * Of an author who may not write any more, where this device did not have it before it heard so: `told`
   * where another one says that it had, else `late`: it changes nothing that somebody else wrote.
   */
  readonly timing?: 'told' | 'late' | undefined
}

/**
 * What happened to a document. With nothing added and nothing erased: receipts changed. An
 * id among both stands for something else now: what was erased comes first.
 */
export interface DocumentChange {
  readonly added: readonly string[]
  readonly erased: readonly string[]
  readonly author: DeviceId
}

/** What devices tell of themselves while they are there. Nothing of it is stored. */
export interface DocumentAwareness {
  /** Replaces what this device tells. */
  set(bytes: Uint8Array): void
  /** The last word of every other device; `at`: ms since 1970 by this device's clock when it came. */
  states(): ReadonlyMap<DeviceId, { readonly bytes: Uint8Array; readonly at: number }>
  readonly changes: EventSource<void>
}

/**
 * Port: the document of one room, a set of operations that only grows, but for
 * operations erased by their own author. Whoever wrote one is proven; what is in it
 * is not.
 */
export interface RoomDocument {
  operations(): ReadonlyMap<string, StoredOperation>
  /**
   * True where the second was signed directly after the first and together with it, and neither id
   * stands for anything else: nobody could put other words there later.
   */
  isOneWrite(first: string, second: string): boolean
  /** All of them or none. Resolves when they are durable on this device. @throws MeshError of the Store. */
  write(
    operations: readonly { readonly id: string; readonly bytes: Uint8Array }[],
    options?: { readonly signal?: AbortSignal | undefined },
  ): Promise<void>
  /** Takes the content of an own operation out of the document for good. */
  erase(id: string, options?: { readonly signal?: AbortSignal | undefined }): Promise<void>
  readonly changes: EventSource<DocumentChange>
  /** True while something of it is damaged on this device and did not come back from another. */
  isDamaged?(): boolean
  /** Which other devices told that they hold this operation. */
  durableOn(id: string): ReadonlySet<DeviceId>
  readonly awareness: DocumentAwareness
  close(): Promise<void>
}
