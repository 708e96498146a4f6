import {
  abortReason,
  MeshError,
  SYNC_DECODE_QUEUE_MAX,
  SYNC_DECODE_TIMEOUT_MS,
  throwIfAborted,
  type Clock,
  type Logger,
} from '../base/index.ts'
import type { DecodedUpdate, Decoder } from './decoder.ts'
import { createTurns } from './turns.ts'
import { decodeUpdate } from './update.ts'

/** What a worker answers to one update. */
export type DecoderReply =
  { readonly ok: true; readonly decoded: DecodedUpdate } | { readonly ok: false; readonly reason: string }

/** A worker of the platform: one message in, one {@link DecoderReply} out. */
export interface DecoderWorker {
  post(update: Uint8Array): void
  /** Ends it at once. */
  kill(): void
}

/** Starts a worker. `onEnd` is told when it ends by itself, such as for lack of memory. */
export type StartDecoderWorker = (on: {
  readonly reply: (reply: DecoderReply) => void
  readonly end: (reason: string) => void
}) => DecoderWorker

/** The worker's side: what to answer. */
export function replyTo(update: Uint8Array): DecoderReply {
  try {
    return { ok: true, decoded: decodeUpdate(update) }
  } catch (error) {
    return { ok: false, reason: error instanceof Error ? error.message : String(error) }
  }
}

/**
 * A decoder that runs one update at a time in a worker and kills the worker when it
 * takes longer than {@link SYNC_DECODE_TIMEOUT_MS} or dies over it; the next update
 * gets a fresh one. No other document is held up for longer than that.
 */
export function createWatchedDecoder(
  start: StartDecoderWorker,
  ports: { readonly clock: Clock; readonly log: Logger },
): Decoder {
  const { clock, log } = ports
  const turns = createTurns()
  let worker: DecoderWorker | undefined
  let settle: { resolve: (decoded: DecodedUpdate) => void; reject: (error: MeshError) => void } | undefined
  let queued = 0
  let closed = false

  const stopWorker = (): void => {
    worker?.kill()
    worker = undefined
  }

  const started = (): DecoderWorker => {
    if (worker !== undefined) return worker
    const own = start({
      reply(reply) {
        if (worker !== own) return
        if (reply.ok) settle?.resolve(reply.decoded)
        else settle?.reject(new MeshError('malformed', reply.reason))
      },
      end(reason) {
        if (worker !== own) return
        worker = undefined
        log.warn('the decoder ended', { reason })
        settle?.reject(new MeshError('too-large', 'An update used more memory than it may.', { fault: 'peer' }))
      },
    })
    worker = own
    return own
  }

  const runOne = (update: Uint8Array, signal: AbortSignal | undefined): Promise<DecodedUpdate> => {
    throwIfAborted(signal)
    if (closed) throw new MeshError('aborted', 'The decoder was closed.')
    return new Promise<DecodedUpdate>((resolve, reject) => {
      const done = (): void => {
        cancel()
        signal?.removeEventListener('abort', onAbort)
        settle = undefined
      }
      const fail = (error: MeshError): void => {
        done()
        reject(error)
      }
      const onAbort = (): void => {
        // its answer would be taken for the next one's
        stopWorker()
        fail(abortReason(signal))
      }
      const cancel = clock.schedule(SYNC_DECODE_TIMEOUT_MS, () => {
        stopWorker()
        fail(new MeshError('timeout', `An update took longer than ${String(SYNC_DECODE_TIMEOUT_MS)} ms.`))
      })
      signal?.addEventListener('abort', onAbort, { once: true })
      settle = {
        reject: fail,
        resolve(decoded) {
          done()
          resolve(decoded)
        },
      }
      started().post(update)
    })
  }

  return {
    async decode(update, { signal } = {}) {
      if (queued >= SYNC_DECODE_QUEUE_MAX) throw new MeshError('busy', 'Too many updates wait to be read.')
      queued += 1
      try {
        return await turns.run(async () => runOne(update, signal))
      } finally {
        queued -= 1
      }
    },
    close() {
      closed = true
      stopWorker()
      settle?.reject(new MeshError('aborted', 'The decoder was closed.'))
      return turns.idle()
    },
  }
}
