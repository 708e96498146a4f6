import type { Clock, DeviceId, EventSource, Logger, Random, ScopeId, Store } from '../base/index.ts'
import type { SecretKey } from '../seal/index.ts'
import type { Decoder } from './decoder.ts'
import type { DocumentName } from './document.ts'
import type { Options } from './options.ts'

/** A generation of a scope's key. */
export interface EpochKey {
  /** 64 lower-case hex digits: the hash of the entry that made it. */
  readonly id: string
  readonly generation: number
  readonly key: SecretKey
}

/** Port: the keys of scopes this device holds. */
export interface Keyring {
  /** The key to write with now. @throws MeshError `unauthorized` when this device holds none */
  current(scope: ScopeId, options: Options): Promise<EpochKey>
  /** A key by its epoch, or undefined while this device does not hold it. */
  get(scope: ScopeId, epoch: string): EpochKey | undefined
  /** Keys or rights may be others now. */
  readonly changes: EventSource<void>
}

/** Since when a device may not write any more, as it is known here. */
export interface WritingEnd {
  /** By this device's wall clock, ms since 1970. */
  readonly at: number
  /** True when no other device that may write now was there then: nobody else could say what that one had written. */
  readonly isAlone: boolean
}

/** Port: who may do what with the documents of a scope. */
export interface Writers {
  mayWrite(device: DeviceId, scope: ScopeId): boolean
  mayRead(device: DeviceId, scope: ScopeId): boolean
  /** May keep envelopes, readable to it or not. */
  mayStore(device: DeviceId, scope: ScopeId): boolean
  /**
   * For a device that may not write any more: whether it could when that epoch was
   * current. Its envelopes are then taken from others who may write, so that history
   * outlives its authors. Without this method they are refused.
   */
  mayHaveWritten?(device: DeviceId, scope: ScopeId, epoch: string): boolean
  /**
   * When this device learned that one that could write in a scope cannot any more; undefined while
   * that is only just so. Without this method it always is.
   */
  endOf?(device: DeviceId, scope: ScopeId): WritingEnd | undefined
  /**
   * Whether the mesh has, or may have, a document of that name: a room that was made, a
   * chat of a person who belongs. What cannot be is neither asked for nor kept. Without
   * this method any name may be.
   */
  mayExist?(name: DocumentName): boolean
  /** Whose device it is or was, to count by; undefined where that is not known. */
  personOf?(device: DeviceId): string | undefined
  /**
   * Whether the person whose device that is, or was, has one that may write: what a device of theirs told in time
   * goes on counting when it was replaced. Without this method it counts while that device may write.
   */
  personMayWrite?(device: DeviceId, scope: ScopeId): boolean
  /** True when nobody reads the documents of a scope any more, for good: its person was removed. */
  isOver?(scope: ScopeId): boolean
}

/** Port: this device's signature. `DeviceKey` of mesh/identity fits. */
export interface Signer {
  readonly id: DeviceId
  sign(message: Uint8Array, options?: Options): Promise<Uint8Array>
}

/** What shared documents stand on. */
export interface SyncPorts {
  readonly store: Store
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
  readonly signer: Signer
  readonly keyring: Keyring
  readonly writers: Writers
  /** Reads foreign updates where a hostile one does no harm. */
  readonly decoder: Decoder
}
