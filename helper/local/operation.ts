import type * as z from 'zod'
import type { ModelRecord } from '../../mesh/engine/index.ts'
import type { Mesh } from '../../mesh/mesh-types.ts'
import type { RoomUse } from './room-use.ts'

/** What the local operations need of the helper: its mesh, its models, its switches. */
export interface LocalHost {
  readonly mesh: Mesh
  readonly models: LocalModels
  readonly rooms: RoomUse
  /** The gateway token in force. */
  token(): string
  /** A fresh link for the browser of this machine. */
  openLink(options: { signal?: AbortSignal | undefined }): Promise<Link>
  lan(): LanState
  setLan(open: boolean, options: { signal?: AbortSignal | undefined }): Promise<LanState>
  readonly lock: LocalLock
  /** The page to open at a place; undefined: there is none that is secure. */
  pageAt(place: 'here' | 'elsewhere'): string | undefined
  trust(): TrustReport
  /** Makes the authority of this helper, or deletes it with its key, for good. */
  setAuthority(wanted: boolean): Promise<TrustReport>
  /** What `doctor` shows of a running helper. */
  status(): HelperStatus
  /** Ends the helper after the answer went out. */
  requestStop(): void
}

/** A link that carries a secret. */
export interface Link {
  readonly url: string
  /** ms since 1970 */
  readonly expiresAt: number
}

/** The local network switch, and where this device can then be reached. */
export interface LanState {
  readonly lan: boolean
  readonly addresses: readonly string[]
  /** The helper starts again in place to make the switch act; ask again until it is gone. */
  readonly isRestarting?: true | undefined
}

/** The lock of this helper's data. */
export interface LocalLock {
  state(options: { signal?: AbortSignal | undefined }): Promise<LockState>
  set(passphrase: string, options: { signal?: AbortSignal | undefined }): Promise<LockState>
  remove(options: { signal?: AbortSignal | undefined }): Promise<LockState>
}

/** Whether a start needs a passphrase. */
export interface LockState {
  readonly isLocked: boolean
}

/** What HTTPS beyond this machine is spoken with. */
export interface TrustReport {
  readonly kind: 'off' | 'own-authority' | 'own-certificate'
  /** Of the authority: SHA-256 with colons. */
  readonly fingerprint: string | null
  /** Where its certificate lies, to be copied by hand. */
  readonly file: string | null
  /** What the certificate in force is for. */
  readonly names: readonly string[]
  /** Where a device of the network learns to trust it. */
  readonly page: string | null
}

/** A running helper in figures. */
export interface HelperStatus {
  readonly pid: number
  readonly peerId: string
  readonly startedAt: number
  readonly pageUrl: string
  readonly offline: boolean
}

/** The models of this device, as the command line manages them. */
export interface LocalModels {
  list(): readonly ModelRecord[]
  /** Fetches a model by the name of a catalogue entry, a hub reference or a file. */
  get(
    name: string,
    options: { signal: AbortSignal; onProgress: (progress: TransferProgress) => void },
  ): Promise<ModelRecord>
  /** Makes it the one that answers when nobody chose. */
  use(id: string, options: { signal: AbortSignal }): Promise<ModelRecord>
  remove(id: string, options: { signal: AbortSignal }): Promise<void>
}

/** Bytes on their way. */
export interface TransferProgress {
  readonly receivedBytes: number
  readonly totalBytes: number
  readonly rateBytesPerSecond: number
  readonly source: string
}

/** What an operation is given beside its input. */
export interface OperationContext<Event> {
  readonly host: LocalHost
  readonly signal: AbortSignal
  /** Tells the caller something on the way to the result. */
  emit(event: Event): void
}

/** One thing the command line may ask of the helper. */
export interface Operation<Input, Event, Result> {
  readonly name: string
  readonly input: z.ZodType<Input>
  run(input: Input, context: OperationContext<Event>): Promise<Result>
}

/** Keeps the types of an operation while it is declared. */
export function operation<Input, Event, Result>(
  definition: Operation<Input, Event, Result>,
): Operation<Input, Event, Result> {
  return definition
}
