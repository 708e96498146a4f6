import { isAbort, MeshError, type Clock, type Logger } from '../../mesh/base/index.ts'
import type { AskEvent } from '../../mesh/route/index.ts'
import type { AskReader, AskStep } from './ask-reader.ts'
import { chunkBody, usageChunkBody, type AnswerHead } from './chat-answer.ts'
import { GATEWAY_LIMITS } from './limits.ts'
import type { OpenAsk } from './open-asks.ts'
import { failureOf } from './openai-errors.ts'

/** What a stream of one answer is made of. */
export interface ChatStreamOptions {
  readonly ask: OpenAsk
  readonly reader: AskReader
  /** The step with which the waiting for headers ended. */
  readonly firstStep: AskStep
  readonly head: AnswerHead
  readonly includeUsage: boolean
  readonly clock: Clock
  readonly log: Logger
  /** Cuts the connection of a reader that takes nothing. */
  readonly cut: () => void
}

/**
 * The answer as server-sent events. It reads the ask only as fast as the client
 * takes it, says a comment when there is nothing to say, ends with `[DONE]` or
 * with an error event, and ends the ask when the client goes.
 */
export function chatStream(options: ChatStreamOptions): ReadableStream<Uint8Array> {
  const { ask, clock, log, cut } = options
  const events = serverSentEvents(options)
  const encoder = new TextEncoder()
  let isOver = false
  let cancelStallTimer = (): void => {}
  const finish = (): void => {
    isOver = true
    cancelStallTimer()
    ask.release()
    options.reader.close()
  }
  const cutStalledReader = (): void => {
    log.warn('A reader of a stream took nothing; it was cut.', { stalledReaderMs: GATEWAY_LIMITS.stalledReaderMs })
    ask.abort(new MeshError('aborted', 'The client stopped reading.'))
    finish()
    cut()
  }
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      cancelStallTimer()
      const { done, value } = await events.next()
      if (isOver) return
      if (done === true) {
        finish()
        controller.close()
        return
      }
      cancelStallTimer = clock.schedule(GATEWAY_LIMITS.stalledReaderMs, cutStalledReader)
      controller.enqueue(encoder.encode(value))
    },
    cancel() {
      ask.abort(new MeshError('aborted', 'The client went away.'))
      finish()
    },
  })
}

async function* serverSentEvents(options: ChatStreamOptions): AsyncGenerator<string, void> {
  const { head, includeUsage } = options
  yield dataEvent(chunkBody(head, { role: 'assistant', content: '' }, null, includeUsage))
  try {
    yield* answerEvents(options)
  } catch (error) {
    if (isAbort(error)) options.log.debug('A stream was stopped.')
    else options.log.warn('A stream failed after it began.', { error })
    // the status is long sent: the error itself is the last event, and no [DONE] follows
    yield dataEvent({ error: failureOf(error).error })
  }
}

async function* answerEvents(options: ChatStreamOptions): AsyncGenerator<string, void> {
  const { head, includeUsage, reader } = options
  let step = options.firstStep
  for (; step.type !== 'done'; step = await reader.next(GATEWAY_LIMITS.keepAliveMs)) {
    if (step.type === 'silence') {
      yield ': waiting\n\n'
      continue
    }
    const { event } = step
    if (event.type === 'phase') yield `: ${phaseWords(event)}\n\n`
    if (event.type === 'text') yield dataEvent(chunkBody(head, { content: event.text }, null, includeUsage))
    if (event.type === 'end') {
      yield dataEvent(chunkBody(head, {}, event.finish, includeUsage))
      if (includeUsage) yield dataEvent(usageChunkBody(head, event.usage))
      yield 'data: [DONE]\n\n'
      return
    }
  }
  throw answerBrokeOff()
}

/** The failure of an ask that ended without its end. */
export function answerBrokeOff(): MeshError {
  return new MeshError('engine-lost', 'The answer broke off before its end.')
}

function phaseWords(event: AskEvent & { readonly type: 'phase' }): string {
  return event.fraction === undefined ? event.phase : `${event.phase} ${String(Math.round(event.fraction * 100))} %`
}

function dataEvent(body: object): string {
  return `data: ${JSON.stringify(body)}\n\n`
}
