import type { DeviceId } from './base/index.ts'

interface Cancellable {
  readonly signal?: AbortSignal | undefined
}

/** That the person of this device has recovery words (or parts) in force. What they are nobody knows but who wrote them down. */
export interface RecoveryView {
  /** ms since 1970, by the clock of the device that made them. */
  readonly since: number
  readonly by: DeviceId
  readonly byName: string
}

/** One of three parts, any two of which are the words. */
export interface RecoveryPart {
  /** 1 to 3 */
  readonly number: number
  /** Twelve groups of four characters. */
  readonly text: string
}

/** Fresh words and their parts, in force nowhere yet. To be shown once and kept by nobody. */
export interface RecoveryDraft {
  /** Twelve. */
  readonly words: readonly string[]
  readonly parts: readonly RecoveryPart[]
}

/** What a device that comes back waits for, in order. */
export type RecoverPhase = 'connecting' | 'proving' | 'opening'

/** How one comes back. */
export interface RecoverOptions extends Cancellable {
  readonly onProgress?: ((phase: RecoverPhase) => void) | undefined
}

/** Words that bring a person back who lost all devices; coming back is `Mesh.recover`. */
export interface MeshRecovery {
  /** Of the person of this device; null: there are none. */
  recovery(): RecoveryView | null
  /** Makes words. They bring nobody back before {@link keepRecovery}. */
  draftRecovery(options?: Cancellable): Promise<RecoveryDraft>
  /**
   * Puts words of a draft in force; those before bring nobody back any more. Everything
   * this person can read is sealed to them when it resolves.
   * @throws MeshError `malformed`, `unauthorized`, `removed`, and of the store
   */
  keepRecovery(words: string, options?: Cancellable): Promise<void>
  /** Takes the words back: they bring nobody back any more. Without any it does nothing. @throws as {@link keepRecovery} */
  removeRecovery(options?: Cancellable): Promise<void>
}
