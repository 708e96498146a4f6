import {
  asMeshError,
  MeshError,
  ROOM_PART_MAX_LENGTH,
  abortReason,
  type Clock,
  type Logger,
  type MessageId,
} from '../../base/index.ts'
import type { AskEvent } from '../../route/index.ts'
import type { AnswerFigures } from '../chats.ts'
import { ANSWER_MAX_LENGTH } from '../limits.ts'
import { cutParts } from './answer-text.ts'
import { PART_EVERY_MS, ROOM_RETRY_FIRST_MS, ROOM_RETRY_MAX_MS } from './limits.ts'
import type { RoomHappening, RoomOperationOf } from './operations.ts'
import type { LiveRoomAnswer } from './room-view.ts'

/** What an answer needs of its room. */
export interface RoomAnswerPorts {
  readonly clock: Clock
  readonly log: Logger
  /** Makes operations durable; gives their ids. */
  write(happenings: readonly RoomHappening[]): Promise<readonly string[]>
  /** Takes own operations out again. */
  erase(ids: readonly string[]): Promise<void>
  /** Text or state changed. */
  changed(): void
  /** Nobody waits for this failure, so it is told. */
  problem(error: MeshError): void
  /** The end is durable: from now on the room speaks. */
  released(): void
}

/** An answer being written on this device. */
export interface RunningAnswer {
  live(): LiveRoomAnswer
  /** Ends the asking: as stopped, or as failed for the reason given. */
  stop(reason?: MeshError): void
  /** Resolves when its end is stored, or told that it cannot be. */
  readonly done: Promise<void>
  /** No more timers; what is not stored stays so. */
  abandon(): void
}

type End = Omit<RoomOperationOf<'end'>, 'v' | 'op' | 'answer' | 'length'>

/**
 * Asks and writes what comes, so that the others see it grow: small pieces at most
 * once a second, and large ones in their place at the end.
 */
export function runRoomAnswer(
  id: MessageId,
  ask: (signal: AbortSignal) => AsyncIterable<AskEvent>,
  ports: RoomAnswerPorts,
): RunningAnswer {
  const { clock } = ports
  const controller = new AbortController()
  const startedAt = clock.monotonic()
  const partIds: string[] = []
  let snapshot: LiveRoomAnswer = { text: '', route: undefined, phase: undefined, unsaved: false, ended: undefined }
  let told = 0
  let routeTold = false
  let firstTokenMs: number | undefined
  let flushing: Promise<void> | undefined
  let cancelTimer: (() => void) | undefined
  let retryMs = ROOM_RETRY_FIRST_MS
  let closed = false
  let gone = false
  let reason: MeshError | undefined

  const set = (change: Partial<LiveRoomAnswer>): void => {
    snapshot = { ...snapshot, ...change }
    ports.changed()
  }

  // ---- telling the others while it grows ----

  const flush = async (): Promise<void> => {
    const upTo = endOfCharacters(snapshot.text)
    const happenings: RoomHappening[] = cutParts(snapshot.text.slice(told, upTo), ROOM_PART_MAX_LENGTH, told).map(
      (part) => ({ op: 'part' as const, answer: id, ...part }),
    )
    const { route } = snapshot
    if (!routeTold && route !== undefined) happenings.push({ op: 'route', answer: id, route })
    try {
      const ids = await ports.write(happenings)
      happenings.forEach((happening, index) => {
        const written = ids[index]
        if (happening.op === 'part' && written !== undefined) partIds.push(written)
      })
      told = upTo
      routeTold ||= route !== undefined
      retryMs = ROOM_RETRY_FIRST_MS
      if (snapshot.unsaved) set({ unsaved: false })
    } catch (error) {
      set({ unsaved: true })
      ports.problem(asMeshError(error, 'storage-failed'))
      flushIn(nextRetry())
    }
  }
  const flushIn = (delayMs: number): void => {
    if (cancelTimer !== undefined || closed || gone) return
    cancelTimer = clock.schedule(delayMs, () => {
      cancelTimer = undefined
      flushing = flush().finally(() => {
        flushing = undefined
        if (endOfCharacters(snapshot.text) > told) flushIn(PART_EVERY_MS)
      })
    })
  }
  const nextRetry = (): number => {
    const delayMs = retryMs
    retryMs = Math.min(retryMs * 2, ROOM_RETRY_MAX_MS)
    return delayMs
  }
  const touched = (): void => {
    if (flushing === undefined) flushIn(PART_EVERY_MS)
  }

  // ---- hearing ----

  const hear = (event: AskEvent): End | undefined => {
    switch (event.type) {
      case 'route':
        set({ route: event.route, phase: 'connecting' })
        touched()
        return undefined
      case 'phase':
        set({ phase: event.phase })
        return undefined
      case 'text': {
        firstTokenMs ??= clock.monotonic() - startedAt
        const room = ANSWER_MAX_LENGTH - snapshot.text.length
        if (room === 0) return undefined
        set({ text: snapshot.text + event.text.slice(0, room), phase: undefined })
        touched()
        return undefined
      }
      case 'end':
        return { state: 'done', figures: figuresOf(event, firstTokenMs), error: undefined }
    }
  }

  const consume = async (): Promise<End> => {
    const { signal } = controller
    const iterator = ask(signal)[Symbol.asyncIterator]()
    try {
      for (;;) {
        // the stop must not wait for a device that no longer answers
        const next = await unlessAborted(iterator.next(), signal)
        if (next.done === true) throw new MeshError('peer-gone', 'The answer broke off before its end.')
        const end = hear(next.value)
        if (end !== undefined) return end
      }
    } finally {
      iterator.return?.().catch((error: unknown) => {
        ports.log.debug('the ask did not end cleanly', { code: asMeshError(error).code })
      })
    }
  }

  const endOf = (error: unknown): End => {
    if (controller.signal.aborted && reason === undefined) return { state: 'stopped', figures: undefined }
    const { code, message } = reason ?? asMeshError(error)
    return { state: 'failed', figures: undefined, error: { code, message: message.slice(0, 2_000) } }
  }

  // ---- the end ----

  const commitEnd = async (end: End): Promise<void> => {
    const { text, route } = snapshot
    const whole = cutParts(text, ROOM_PART_MAX_LENGTH)
    const isWhole = told === text.length && partIds.length <= whole.length
    const happenings: RoomHappening[] = isWhole
      ? []
      : whole.map((part) => ({ op: 'part' as const, answer: id, ...part }))
    if (!routeTold && route !== undefined) happenings.push({ op: 'route', answer: id, route })
    happenings.push({ op: 'end', answer: id, length: text.length, ...end })
    await ports.write(happenings)
    ports.released()
    if (!isWhole && partIds.length > 0) await eraseSmall()
  }
  const eraseSmall = async (): Promise<void> => {
    try {
      await ports.erase(partIds)
    } catch (error) {
      // they say nothing the large ones do not say
      ports.log.warn('pieces of a finished answer were not cleared away', { code: asMeshError(error).code })
    }
  }
  const retryEnd = (end: End): void => {
    if (gone) return
    cancelTimer = clock.schedule(nextRetry(), () => {
      commitEnd(end).catch((error: unknown) => {
        ports.log.warn('an answer could still not be stored', { answer: id, code: asMeshError(error).code })
        retryEnd(end)
      })
    })
  }

  const run = async (): Promise<void> => {
    let end: End
    try {
      end = await consume()
    } catch (error) {
      end = endOf(error)
    }
    closed = true
    cancelTimer?.()
    cancelTimer = undefined
    await flushing
    try {
      await commitEnd(end)
    } catch (error) {
      const failure = asMeshError(error, 'storage-failed')
      const { code, message } = failure
      set({ unsaved: true, phase: undefined, ended: { state: 'failed', error: { code, message } } })
      ports.problem(failure)
      retryEnd(end)
    }
  }

  return {
    live: () => snapshot,
    stop(why) {
      if (controller.signal.aborted) return
      reason = why
      controller.abort(why ?? new MeshError('aborted', 'Stopped.'))
    },
    abandon() {
      gone = true
      cancelTimer?.()
    },
    done: run(),
  }
}

/** Where the last whole character ends: the second half of a pair may still be on its way. */
function endOfCharacters(text: string): number {
  return (text.charCodeAt(text.length - 1) & 0xfc00) === 0xd800 ? text.length - 1 : text.length
}

function figuresOf(end: Extract<AskEvent, { type: 'end' }>, firstTokenMs: number | undefined): AnswerFigures {
  const { usage, timings, bytesSent } = end
  const followed = usage.completionTokens - 1
  const tokensPerSecond = followed > 0 && timings.decodeMs > 0 ? (followed * 1_000) / timings.decodeMs : 0
  return { usage, firstTokenMs: firstTokenMs ?? timings.firstTokenMs, tokensPerSecond, bytesSent }
}

function unlessAborted<Value>(promise: Promise<Value>, signal: AbortSignal): Promise<Value> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => {
      reject(abortReason(signal))
    }
    if (signal.aborted) onAbort()
    signal.addEventListener('abort', onAbort, { once: true })
    promise.then(resolve, reject).finally(() => {
      signal.removeEventListener('abort', onAbort)
    })
  })
}
