import { readEnvelope, type Envelope } from './envelope.ts'

/** An envelope as it lies in a log. */
export interface LoggedEnvelope {
  /** Whether its content was looked at before: it is from here, or went through the decoder. */
  readonly checked: boolean
  readonly envelope: Envelope
}

const UNCHECKED = 0
const CHECKED = 1

/** The bytes of a log entry. */
export function logEntry(envelope: Envelope, checked: boolean): Uint8Array {
  const entry = new Uint8Array(envelope.bytes.byteLength + 1)
  entry[0] = checked ? CHECKED : UNCHECKED
  entry.set(envelope.bytes, 1)
  return entry
}

/** Reads a log entry; undefined for what a power cut left half-written. */
export function readLogEntry(bytes: Uint8Array): LoggedEnvelope | undefined {
  try {
    return { checked: bytes[0] === CHECKED, envelope: readEnvelope(bytes.subarray(1)) }
  } catch {
    // a torn entry was never acknowledged, and what is missing is fetched again
    return undefined
  }
}
