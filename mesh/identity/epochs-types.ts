import type { EventSource } from '../base/index.ts'
import type { SecretKey } from '../seal/index.ts'
import type { Cancellable, Recipient, ScopeId } from './ledger/index.ts'

/** The key of one generation of a scope. */
export interface EpochKey {
  /** The hash of its `rotate` entry, in hex. */
  readonly id: string
  readonly generation: number
  readonly key: SecretKey
}

/** Keys of a scope became known here, or another one is used to write. */
export interface EpochChange {
  readonly scope: ScopeId
  /** Epochs that can be opened from now on: what could not be opened may be tried again. */
  readonly opened: readonly string[]
}

/** The keys of scopes, for who seals and opens. */
export interface Keyring {
  readonly changes: EventSource<EpochChange>
  /**
   * The key to write with: the newest whose holders all still belong. Made anew where there is none.
   * @throws MeshError `unauthorized` when this device is not in the scope's audience, or of the ledger's store
   */
  current(scope: ScopeId, options?: Cancellable): Promise<EpochKey>
  /** The key of an epoch, where this device was given it. */
  get(scope: ScopeId, epochId: string): EpochKey | undefined
}

/** The keyring of this device, with what keeps the keys of all scopes in order. */
export interface Epochs extends Keyring {
  /** Makes a new generation for the present audience. @throws MeshError `unauthorized` or of the store */
  rotate(scope: ScopeId, options?: Cancellable): Promise<EpochKey>
  /** Seals the older keys of a scope that a recipient may have and lacks. Nothing to do is fine. */
  shareHistory(scope: ScopeId, to: Recipient, options?: Cancellable): Promise<void>
  /**
   * Does what is undone for every scope this device reads: rotates where a key is held by
   * somebody removed or is too old, shares older keys with who lacks them. Harmless
   * when several devices do it at once.
   * @returns when to call again at the latest, in ms; undefined when only a change makes new work
   */
  maintain(options?: Cancellable): Promise<{ readonly dueInMs: number | undefined }>
  /**
   * What devices of the mesh recognise each other by where strangers listen, of its newest
   * epochs, newest first. Empty for a device that may not read the mesh.
   */
  meshTags(): readonly Uint8Array[]
  /** Ends the listening to the ledger. */
  close(): void
}
