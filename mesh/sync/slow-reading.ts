import {
  MeshError,
  SYNC_DECODE_AGAIN_MAX_MS,
  SYNC_DECODE_AGAIN_MS,
  SYNC_DECODE_SLOW_MAX,
  type Clock,
  type DeviceId,
} from '../base/index.ts'

/**
 * Whose envelopes killed the decoder while a document is open. What does so need not break a rule, as the machine
 * may be out of breath; but each costs a second, so that after a few nothing further of that author is read
 * for a while: {@link SYNC_DECODE_AGAIN_MS}, and each time twice as long, or until the document is opened again.
 */
export interface SlowReading {
  /** Aborts once nothing further of the author is to be read. */
  signalOf(author: DeviceId): AbortSignal
  /** One more of its envelopes killed the decoder. */
  note(author: DeviceId): void
  /** The document was opened or closed: nothing was slow yet, and nothing is to be tried again. */
  forget(): void
}

/** Nothing was slow yet. `again` is called when what was slow may be tried once more, unless `stopped` came first. */
export function createSlowReading(clock: Clock, stopped: AbortSignal, again: () => void): SlowReading {
  const counts = new Map<DeviceId, number>()
  const overs = new Map<DeviceId, AbortController>()
  let pauseMs = SYNC_DECODE_AGAIN_MS
  let cancel: (() => void) | undefined

  const overOf = (author: DeviceId): AbortController => {
    const over = overs.get(author) ?? new AbortController()
    overs.set(author, over)
    return over
  }
  const forgetAll = (): void => {
    cancel?.()
    cancel = undefined
    counts.clear()
    overs.clear()
  }
  const later = (): (() => void) => {
    const stop = clock.schedule(pauseMs, () => {
      pauseMs = Math.min(pauseMs * 2, SYNC_DECODE_AGAIN_MAX_MS)
      forgetAll()
      again()
    })
    stopped.addEventListener('abort', stop, { once: true })
    return () => {
      stop()
      stopped.removeEventListener('abort', stop)
    }
  }

  return {
    signalOf: (author) => overOf(author).signal,
    note(author) {
      const count = (counts.get(author) ?? 0) + 1
      counts.set(author, count)
      if (count >= SYNC_DECODE_SLOW_MAX)
        overOf(author).abort(new MeshError('timeout', 'What this author wrote takes too long to be read here.'))
      if (!stopped.aborted) cancel ??= later()
    },
    forget() {
      forgetAll()
      pauseMs = SYNC_DECODE_AGAIN_MS
    },
  }
}
