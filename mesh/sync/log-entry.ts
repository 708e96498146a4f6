import { readEnvelope, type Envelope } from './envelope.ts'

/** An envelope as it lies in a log. */
export interface LoggedEnvelope {
  /** Whether its content was looked at before: it is from here, or went through the decoder. */
  readonly checked: boolean
  /** Whether it came when its author might not write any more, see `Chain.lateFrom`. */
  readonly isLate: boolean
  readonly envelope: Envelope
}

/** Bits of its first byte. An earlier version knows the first alone, and looks again at what has another. */
const CHECKED = 1
const LATE = 2
/** It came late too, and another's word was its reason to come: a version between wrote this apart. */
const ON_WORD = 4

/** The bytes of a log entry. */
export function logEntry({ envelope, checked, isLate }: LoggedEnvelope): Uint8Array {
  const entry = new Uint8Array(envelope.bytes.byteLength + 1)
  entry[0] = (checked ? CHECKED : 0) | (isLate ? LATE : 0)
  entry.set(envelope.bytes, 1)
  return entry
}

/** Reads a log entry; undefined for what a power cut left half-written. */
export function readLogEntry(bytes: Uint8Array): LoggedEnvelope | undefined {
  try {
    const [bits = 0] = bytes
    return {
      checked: (bits & CHECKED) !== 0,
      isLate: (bits & (LATE | ON_WORD)) !== 0,
      envelope: readEnvelope(bytes.subarray(1)),
    }
  } catch {
    // a torn entry was never acknowledged, and what is missing is fetched again
    return undefined
  }
}
