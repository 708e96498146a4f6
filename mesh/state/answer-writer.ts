import { asMeshError, throwIfAborted, type Clock, type Logger, type MeshError, type MessageId } from '../base/index.ts'
import type { Route } from '../route/index.ts'
import type { AnswerWriter } from './chats.ts'
import { ANSWER_MAX_LENGTH, DRAFT_PART_LENGTH, FLUSH_AFTER_MS, RETRY_FIRST_MS, RETRY_MAX_MS } from './limits.ts'
import type { LiveText } from './views.ts'

/** How an answer ended, as given to {@link AnswerWriter.finish}. */
export type AnswerEnd = Parameters<AnswerWriter['finish']>[0]

/** What a writer needs of the chats it writes into. */
export interface AnswerPorts {
  readonly clock: Clock
  readonly log: Logger
  /** Makes one part of the text so far durable. */
  putDraft(part: number, text: string, route: Route | undefined): Promise<void>
  /** Makes the end durable and forgets the drafts. */
  commitEnd(end: AnswerEnd, text: string, route: Route | undefined): Promise<void>
  /** The text or state changed; `stored` when it is now in the store. */
  changed(stored: boolean): void
  /** Nobody waits for this failure, so it is told. */
  problem(error: MeshError): void
  /** The end is durable: from now on the log speaks. */
  released(): void
}

/** An {@link AnswerWriter} with what the chats need of it. */
export interface LiveWriter extends AnswerWriter {
  live(): LiveText
}

/**
 * Writes one answer. Text is in `live()` at once and on its way to the store
 * {@link FLUSH_AFTER_MS} later, in records that do not grow with the answer. Where
 * the store fails the text stays here, the failure is told, and it is tried again.
 */
export function createAnswerWriter(id: MessageId, ports: AnswerPorts): LiveWriter {
  let text = ''
  let route: Route | undefined
  let ended: LiveText | undefined
  let closed = false
  let gone = false
  let part = 0
  let partStart = 0
  let dirty = false
  let flushing: Promise<void> | undefined
  let cancelTimer: (() => void) | undefined
  let retryMs = RETRY_FIRST_MS
  let truncated = false

  const flush = async (): Promise<void> => {
    dirty = false
    const piece = text.slice(partStart)
    try {
      await ports.putDraft(part, piece, route)
      if (piece.length >= DRAFT_PART_LENGTH) {
        part += 1
        partStart += piece.length
      }
      retryMs = RETRY_FIRST_MS
      ports.changed(true)
    } catch (error) {
      if (gone) return
      dirty = true
      ports.problem(asMeshError(error, 'storage-failed'))
      schedule(nextRetry())
    }
  }

  const startFlush = (): void => {
    if (flushing !== undefined || closed || gone) return
    flushing = flush().finally(() => {
      flushing = undefined
      if (dirty) schedule(FLUSH_AFTER_MS)
    })
  }

  const schedule = (delayMs: number): void => {
    if (cancelTimer !== undefined || closed || gone) return
    cancelTimer = ports.clock.schedule(delayMs, () => {
      cancelTimer = undefined
      startFlush()
    })
  }

  const nextRetry = (): number => {
    const delayMs = retryMs
    retryMs = Math.min(retryMs * 2, RETRY_MAX_MS)
    return delayMs
  }

  const stopped = (): boolean => gone

  const touched = (): void => {
    dirty = true
    ports.changed(false)
    if (flushing === undefined) schedule(FLUSH_AFTER_MS)
  }

  const retryEnd = (end: AnswerEnd): void => {
    if (gone) return
    cancelTimer = ports.clock.schedule(nextRetry(), () => {
      ports.commitEnd(end, text, route).then(
        () => {
          ports.released()
        },
        (error: unknown) => {
          ports.log.warn('an answer could still not be stored', { message: id, error: asMeshError(error).code })
          retryEnd(end)
        },
      )
    })
  }

  return {
    id,
    live: () => ended ?? { text, state: text === '' ? 'waiting' : 'streaming', route },
    route(next) {
      if (closed || gone) return
      route = next
      touched()
    },
    append(more) {
      if (closed || gone || more === '') return
      text += more.slice(0, ANSWER_MAX_LENGTH - text.length)
      if (text.length === ANSWER_MAX_LENGTH && !truncated) {
        truncated = true
        ports.log.warn('an answer reached its greatest length and was cut', { message: id })
      }
      touched()
    },
    async finish(end, options = {}) {
      throwIfAborted(options.signal)
      if (closed || gone) return
      closed = true
      cancelTimer?.()
      cancelTimer = undefined
      await flushing
      try {
        await ports.commitEnd(end, text, route)
      } catch (error) {
        const failure = asMeshError(error, 'storage-failed')
        // another tab has the answer now, and says how it stands
        if (stopped()) throw failure
        const { code, message } = failure
        ended = { text, state: 'failed', route, error: { code, message } }
        ports.changed(false)
        ports.problem(failure)
        retryEnd(end)
        throw failure
      }
      ports.released()
    },
    abandon() {
      gone = true
      cancelTimer?.()
    },
  }
}
