import type { DeviceId, EntryHash, EventSource } from '../base/index.ts'
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

/** Keys of epochs in a box for one device. */
export interface GivenKeys {
  readonly epochs: readonly EntryHash[]
  readonly box: Uint8Array
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
   * Epochs the ledger says this device was given, and whose box did not open or held another
   * key: whoever gave them may have lied, and any other holder can give them.
   */
  missing(): ReadonlyMap<ScopeId, readonly EntryHash[]>
  /**
   * Seals keys that are known here to a device that was given them before, as the ledger says:
   * nobody comes to hold a key by it that the ledger does not name as its holder.
   * @throws MeshError `unauthorized` when the device may not read the scope
   */
  give(scope: ScopeId, to: DeviceId, epochs: readonly EntryHash[]): Promise<GivenKeys>
  /**
   * Takes keys of a box that another holder gave; false ones are not believed. What opens
   * is sealed to this device anew in the ledger, so that it needs nobody after a restart.
   * @returns how many were missing and are known now
   */
  take(scope: ScopeId, given: GivenKeys, options?: Cancellable): Promise<number>
  /**
   * What devices of the mesh recognise each other by where strangers listen, of its newest
   * epochs, newest first. Empty for a device that may not read the mesh.
   */
  meshTags(): readonly Uint8Array[]
  /** Ends the listening to the ledger. */
  close(): void
}
