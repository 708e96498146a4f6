import { MeshError, SYNC_DECODE_SLOW_MAX, type DeviceId } from '../base/index.ts'

/**
 * Whose envelopes killed the decoder while a document is open. What does so need not break a rule, as the machine
 * may be out of breath; but each costs a second, so that after a few nothing further of that author is read
 * until the document is opened again.
 */
export interface SlowReading {
  /** Aborts once nothing further of the author is to be read. */
  signalOf(author: DeviceId): AbortSignal
  /** One more of its envelopes killed the decoder. */
  note(author: DeviceId): void
}

/** Nothing was slow yet. */
export function createSlowReading(): SlowReading {
  const counts = new Map<DeviceId, number>()
  const overs = new Map<DeviceId, AbortController>()

  const overOf = (author: DeviceId): AbortController => {
    const over = overs.get(author) ?? new AbortController()
    overs.set(author, over)
    return over
  }

  return {
    signalOf: (author) => overOf(author).signal,
    note(author) {
      const count = (counts.get(author) ?? 0) + 1
      counts.set(author, count)
      if (count >= SYNC_DECODE_SLOW_MAX)
        overOf(author).abort(new MeshError('timeout', 'What this author wrote takes too long to be read here.'))
    },
  }
}
