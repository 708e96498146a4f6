import {
  abortReason,
  isMeshError,
  MeshError,
  SYNC_DECODE_QUEUE_MAX,
  SYNC_DECODE_START_MS,
  SYNC_DECODE_TIMEOUT_MS,
  throwIfAborted,
  type Clock,
  type Logger,
} from '../base/index.ts'
import type { DecodedUpdate, Decoder, DecoderMessage } from './decoder.ts'
import { createTurns } from './turns.ts'

/** A worker of the platform: one update in, one {@link DecoderMessage} out. */
export interface DecoderWorker {
  post(update: Uint8Array): void
  /** Ends it at once. */
  kill(): void
}

/** Starts a worker. `end` is told when it ends by itself, such as for lack of memory. */
export type StartDecoderWorker = (on: {
  readonly message: (message: DecoderMessage) => void
  readonly end: (reason: string) => void
}) => DecoderWorker

/** How long a reply may lie unread because this thread itself was busy, in ms. */
const GRACE_MS = 50

/** A worker that is up, and the one update it is at. */
interface Running {
  readonly ready: Promise<void>
  decode(update: Uint8Array, signal: AbortSignal | undefined): Promise<DecodedUpdate>
  kill(): void
  readonly isDead: boolean
}

/**
 * A decoder that runs one update at a time in a worker. The worker is killed when it
 * takes longer than {@link SYNC_DECODE_TIMEOUT_MS}, and the next update gets a fresh
 * one. An update is blamed only after it did so twice: a machine that slept or was
 * out of breath must cost no author its standing.
 */
export function createWatchedDecoder(
  start: StartDecoderWorker,
  ports: { readonly clock: Clock; readonly log: Logger },
): Decoder {
  const turns = createTurns()
  const closed = new AbortController()
  let running: Running | undefined
  let queued = 0

  const current = async (signal: AbortSignal | undefined): Promise<Running> => {
    throwIfAborted(closed.signal)
    throwIfAborted(signal)
    if (running === undefined || running.isDead) running = startWorker(start, ports)
    await running.ready
    return running
  }

  const decodeOnce = async (update: Uint8Array, signal: AbortSignal | undefined): Promise<DecodedUpdate> =>
    (await current(signal)).decode(update, signal)

  const decodeTwice = async (update: Uint8Array, signal: AbortSignal | undefined): Promise<DecodedUpdate> => {
    try {
      return await decodeOnce(update, signal)
    } catch (error) {
      throwIfAborted(signal)
      if (!isMeshError(error, 'timeout') && !isMeshError(error, 'too-large')) throw error
      ports.log.warn('an update killed its decoder and is tried once more', { code: error.code })
      return decodeOnce(update, signal)
    }
  }

  return {
    async decode(update, { signal } = {}) {
      if (queued >= SYNC_DECODE_QUEUE_MAX) throw new MeshError('busy', 'Too many updates wait to be read.')
      queued += 1
      try {
        return await turns.run(() => decodeTwice(update, signal))
      } finally {
        queued -= 1
      }
    },
    async close() {
      closed.abort(new MeshError('aborted', 'The decoder was closed.'))
      running?.kill()
      await turns.idle()
    },
  }
}

function startWorker(start: StartDecoderWorker, ports: { readonly clock: Clock; readonly log: Logger }): Running {
  const { clock, log } = ports
  const up = settlement<void>()
  let job: ReturnType<typeof settlement<DecodedUpdate>> | undefined
  let isDead = false

  const die = (error: MeshError): void => {
    if (isDead) return
    isDead = true
    worker.kill()
    cancelStart()
    up.reject(error)
    job?.reject(error)
  }

  const worker = start({
    message(message) {
      if (isDead) return
      if (message.type === 'ready') {
        cancelStart()
        up.resolve()
      } else if (message.type === 'decoded') job?.resolve(message.decoded)
      else job?.reject(new MeshError('malformed', message.reason))
    },
    end(reason) {
      log.warn('the decoder ended', { reason })
      die(
        job === undefined
          ? new MeshError('busy', 'The part that reads updates did not start.')
          : new MeshError('too-large', 'An update used more memory than it may.', { fault: 'peer' }),
      )
    },
  })
  const cancelStart = clock.schedule(SYNC_DECODE_START_MS, () => {
    die(new MeshError('busy', 'The part that reads updates did not start in time.'))
  })

  const decode: Running['decode'] = async (update, signal) => {
    throwIfAborted(signal)
    const own = (job = settlement<DecodedUpdate>())
    const onAbort = (): void => {
      // its late answer would be taken for the next one's
      die(abortReason(signal))
    }
    const tooLong = (): void => {
      die(new MeshError('timeout', `An update took longer than ${String(SYNC_DECODE_TIMEOUT_MS)} ms.`))
    }
    let cancel = clock.schedule(SYNC_DECODE_TIMEOUT_MS, () => {
      cancel = clock.schedule(GRACE_MS, tooLong)
    })
    signal?.addEventListener('abort', onAbort, { once: true })
    worker.post(update)
    try {
      return await own.promise
    } finally {
      cancel()
      signal?.removeEventListener('abort', onAbort)
      job = undefined
    }
  }

  return {
    ready: up.promise,
    decode,
    kill() {
      die(new MeshError('aborted', 'The decoder was closed.'))
    },
    get isDead() {
      return isDead
    },
  }
}

/** A promise settled from outside. */
function settlement<Value>(): {
  readonly promise: Promise<Value>
  readonly resolve: (value: Value) => void
  readonly reject: (error: MeshError) => void
} {
  const parts: { resolve: (value: Value) => void; reject: (error: MeshError) => void } = {
    resolve: () => undefined,
    reject: () => undefined,
  }
  const promise = new Promise<Value>((resolve, reject) => Object.assign(parts, { resolve, reject }))
  // who waits for it hears of it; nobody may
  promise.catch(() => undefined)
  return { promise, resolve: (value) => parts.resolve(value), reject: (error) => parts.reject(error) }
}
