/**
 * Every failure Plexus knows, in one closed union. A code is the contract: it
 * travels on the wire, in `--json` output and in the gateway, and each has a
 * sentence for the person in the app's language files.
 */
export const ERROR_CODES = [
  'aborted',
  'timeout',
  'offline',
  'peer-gone',
  'refused',
  'not-admitted',
  'removed',
  'invitation-expired',
  'invitation-used',
  'invitation-unknown',
  'recovery-unknown',
  'unauthorized',
  'malformed',
  'too-large',
  'integrity',
  'storage-full',
  'storage-failed',
  'storage-corrupt',
  'locked',
  'passphrase-wrong',
  'data-dir-unusable',
  'data-dir-in-use',
  'port-taken',
  'config-invalid',
  'engine-load',
  'engine-memory',
  'engine-context',
  'engine-lost',
  'engine-failed',
  'model-unknown',
  'model-invalid',
  'model-unavailable',
  'no-source',
  'device-unknown',
  'room-unknown',
  'busy',
  'conflict',
  'unsupported',
  'usage',
  'no-helper',
  'bug',
] as const

/** One of {@link ERROR_CODES}. */
export type ErrorCode = (typeof ERROR_CODES)[number]

/** Who has to act for the failure to go away. A `peer` fault costs the peer its standing. */
export type Fault = 'self' | 'peer' | 'user' | 'device'

/** Values a sentence may name: sizes in bytes, times in ms, names, paths. */
export type ErrorDetail = Readonly<Record<string, string | number | boolean>>

/** What may be given beside code and sentence. */
export interface MeshErrorOptions {
  readonly cause?: unknown
  readonly retryable?: boolean
  readonly fault?: Fault
  readonly detail?: ErrorDetail
}

/** The shape an error has on the wire and in JSON: never a stack. */
export interface WireError {
  readonly code: ErrorCode
  /** At most {@link WIRE_MESSAGE_MAX} characters. */
  readonly message: string
  readonly detail?: ErrorDetail | undefined
}

/** Longest sentence taken from another device, in characters. */
export const WIRE_MESSAGE_MAX = 400

const RETRYABLE: ReadonlySet<ErrorCode> = new Set(['timeout', 'offline', 'peer-gone', 'busy', 'engine-lost'])

const FAULTS: Readonly<Partial<Record<ErrorCode, Fault>>> = {
  usage: 'user',
  'config-invalid': 'user',
  'invitation-expired': 'user',
  'invitation-used': 'user',
  'recovery-unknown': 'user',
  locked: 'user',
  'passphrase-wrong': 'user',
  'storage-full': 'device',
  'storage-failed': 'device',
  'storage-corrupt': 'device',
  'data-dir-unusable': 'device',
  'engine-memory': 'device',
  malformed: 'peer',
  integrity: 'peer',
}

/**
 * The only error class thrown on purpose. `message` is a sentence a person can
 * read: what happened and, where it helps, what to do.
 */
export class MeshError extends Error {
  override readonly name: string = 'MeshError'
  readonly code: ErrorCode
  readonly retryable: boolean
  readonly fault: Fault
  readonly detail: ErrorDetail

  constructor(code: ErrorCode, message: string, options: MeshErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.retryable = options.retryable ?? RETRYABLE.has(code)
    this.fault = options.fault ?? FAULTS[code] ?? 'self'
    this.detail = options.detail ?? {}
  }
}

/** True for errors of {@link MeshError}, optionally of one code. */
export function isMeshError(error: unknown, code?: ErrorCode): error is MeshError {
  return error instanceof MeshError && (code === undefined || error.code === code)
}

/** True when the failure is a cancel: a DOM `AbortError` or our own code `aborted`. */
export function isAbort(error: unknown): boolean {
  if (isMeshError(error)) return error.code === 'aborted'
  return typeof error === 'object' && error !== null && 'name' in error && error.name === 'AbortError'
}

/** Any thrown value as a {@link MeshError}; what is not one becomes `fallback`, with the cause kept. */
export function asMeshError(error: unknown, fallback: ErrorCode = 'bug'): MeshError {
  if (error instanceof MeshError) return error
  if (isAbort(error)) return new MeshError('aborted', 'Stopped.', { cause: error })
  return new MeshError(fallback, messageOf(error), { cause: error })
}

/** The sentence of any thrown value. libp2p rejects with events at times, so `.error` is looked into. */
export function messageOf(error: unknown): string {
  if (error instanceof Error) return error.message
  if (typeof error === 'object' && error !== null) {
    if ('error' in error && error.error !== undefined) return messageOf(error.error)
    if ('message' in error && typeof error.message === 'string') return error.message
    if ('type' in error && typeof error.type === 'string') return `event ${error.type}`
  }
  return String(error)
}

/** The error as it may leave this device: code, a bounded sentence and the detail. */
export function errorToWire(error: unknown): WireError {
  const known = asMeshError(error)
  const wire = { code: known.code, message: known.message.slice(0, WIRE_MESSAGE_MAX) }
  return Object.keys(known.detail).length === 0 ? wire : { ...wire, detail: known.detail }
}

/** An error told by another device. Unknown codes of newer versions read as `refused`. */
export function errorFromWire(wire: { code: string; message: string; detail?: ErrorDetail | undefined }): MeshError {
  const code = ERROR_CODES.find((known) => known === wire.code) ?? 'refused'
  return new MeshError(code, wire.message.slice(0, WIRE_MESSAGE_MAX), wire.detail ? { detail: wire.detail } : {})
}
