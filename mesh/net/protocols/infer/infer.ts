import type { Connection } from '@libp2p/interface'
import {
  abortReason,
  asMeshError,
  INFER_ANSWER_MAX_LENGTH,
  INFER_CREDIT_FRAMES,
  INFER_GRANT_FRAMES,
  INFER_NO_PROGRESS_MS,
  INFER_STALL_MS,
  INFER_STREAMS_MAX,
  INFER_TEXT_MAX_LENGTH,
  INFER_TOKEN_MAX_LENGTH,
  MeshError,
  PROMPT_MAX_LENGTH,
  type Clock,
  type DeviceId,
  type RequestId,
} from '../../../base/index.ts'
import type { Asker, EngineHost, GenerateEvent, GenerateRequest } from '../../../engine/index.ts'
import { FIRST_FRAME, openStream, type Protocol } from '../../protocol.ts'
import type { FrameStream } from '../../stream.ts'
import { answerFrame, ask, askerFrame, INFER } from './messages.ts'

/** The answering side: admitted devices may ask this device's engines. */
export function inferProtocol(
  engines: EngineHost | undefined,
  ports: { readonly clock: Clock; readonly askerOf: (device: DeviceId) => Asker },
): Protocol {
  const running = new Map<DeviceId, number>()

  /** The limit of streams holds for a connection, this one for the device, however many connections it opens. */
  const withinShare = async (asker: DeviceId, work: () => Promise<void>): Promise<void> => {
    const count = running.get(asker) ?? 0
    if (count >= INFER_STREAMS_MAX) {
      throw new MeshError('busy', `This device already has ${String(INFER_STREAMS_MAX)} questions running here.`)
    }
    running.set(asker, count + 1)
    try {
      await work()
    } finally {
      const left = (running.get(asker) ?? 1) - 1
      if (left > 0) running.set(asker, left)
      else running.delete(asker)
    }
  }

  return {
    ...INFER,
    callers: 'ask',
    handling: 'waits',
    async handle(stream, { signal }) {
      const question = await stream.read(ask, { ...FIRST_FRAME, signal })
      if (engines === undefined) throw new MeshError('model-unavailable', 'This device has no engine.')
      const length = question.messages.reduce((sum, message) => sum + message.content.length, 0)
      if (length > PROMPT_MAX_LENGTH) {
        throw new MeshError('too-large', `The question is longer than ${String(PROMPT_MAX_LENGTH)} characters.`, {
          fault: 'user',
        })
      }
      const { model, messages, sampling, credit } = question
      await withinShare(stream.peer, () =>
        answer(stream, signal, engines, { model, messages, sampling }, credit, ports),
      )
    },
  }
}

/**
 * Runs the engine and sends its events. The asker's credit is the flow control:
 * without it text gathers here, and when that is much, the engine waits.
 */
async function answer(
  stream: FrameStream,
  allowed: AbortSignal,
  engines: EngineHost,
  request: GenerateRequest,
  initialCredit: number,
  { clock, askerOf }: { readonly clock: Clock; readonly askerOf: (device: DeviceId) => Asker },
): Promise<void> {
  const cancelled = new AbortController()
  // the stream is over, or the asker may not ask any more
  const over = AbortSignal.any([stream.over, allowed])
  const onOver = (): void => {
    cancelled.abort(abortReason(over))
  }
  over.addEventListener('abort', onOver, { once: true })
  if (over.aborted) onOver()

  let credit = initialCredit
  let sequence = 0
  let gathered = { text: '', tokenCount: 0 }
  let wake = (): void => {}
  let lastWrite: Promise<unknown> = Promise.resolve()

  /** An asker that takes nothing while something waits for it is given up: its place is somebody else's. */
  const withPatience = async <Result>(work: () => Promise<Result>): Promise<Result> => {
    const cancel = clock.schedule(INFER_STALL_MS, () => {
      cancelled.abort(
        new MeshError('timeout', `The asking device took nothing for ${String(INFER_STALL_MS / 1000)} s.`),
      )
    })
    try {
      return await work()
    } finally {
      cancel()
    }
  }

  const write = (frame: object): Promise<unknown> =>
    (lastWrite = lastWrite.then(() => withPatience(() => stream.write(frame, { signal: cancelled.signal }))))

  const flush = async (): Promise<void> => {
    if (gathered.text === '' || credit === 0) return
    const { text, tokenCount } = gathered
    gathered = { text: '', tokenCount: 0 }
    credit -= 1
    await write({ type: 'text', sequence: sequence++, text, tokenCount })
  }

  cancelled.signal.addEventListener('abort', () => {
    wake()
  })
  const room = async (): Promise<void> => {
    await withPatience(
      () =>
        new Promise<void>((resolve) => {
          wake = resolve
          if (cancelled.signal.aborted) resolve()
        }),
    )
    if (cancelled.signal.aborted) throw abortReason(cancelled.signal)
  }

  const listen = async (): Promise<void> => {
    for (;;) {
      const frame = await stream.read(askerFrame)
      if (frame.type === 'cancel') throw new MeshError('aborted', 'The asking device stopped the answer.')
      credit += frame.frames
      wake()
      await flush()
    }
  }
  // whatever ends the listening, be it a cancel, a reset or silence, ends the engine's work
  listen().catch((error: unknown) => {
    cancelled.abort(asMeshError(error))
  })

  try {
    for await (const event of engines.generate(request, { signal: cancelled.signal, asker: askerOf(stream.peer) })) {
      if (event.type === 'end') {
        while (gathered.text !== '') {
          await flush()
          if (gathered.text !== '') await room()
        }
        await write({ ...event, sequence })
      } else if (event.type === 'text') {
        for (const piece of pieces(event)) {
          while (gathered.text.length + piece.text.length > INFER_TEXT_MAX_LENGTH) {
            if (credit === 0) await room()
            await flush()
          }
          gathered = { text: gathered.text + piece.text, tokenCount: gathered.tokenCount + piece.tokenCount }
          await flush()
        }
      } else await write(event)
    }
    stream.close()
  } finally {
    over.removeEventListener('abort', onOver)
    cancelled.abort(new MeshError('aborted', 'The answer is over.'))
  }
}

function pieces(event: Extract<GenerateEvent, { type: 'text' }>): { text: string; tokenCount: number }[] {
  if (event.text.length <= INFER_TEXT_MAX_LENGTH) return [event]
  const parts: { text: string; tokenCount: number }[] = []
  for (let offset = 0; offset < event.text.length; offset += INFER_TEXT_MAX_LENGTH) {
    parts.push({
      text: event.text.slice(offset, offset + INFER_TEXT_MAX_LENGTH),
      tokenCount: offset === 0 ? event.tokenCount : 0,
    })
  }
  return parts
}

/** What the asking side hears: the engine's events, and at first how many bytes left this device. */
export type RemoteEvent = GenerateEvent | { readonly type: 'sent'; readonly bytes: number }

/**
 * Asks a device over its connection. Ending the loop early, or the signal, resets
 * the stream, which stops the engine over there.
 * @throws MeshError what the device told, `peer-gone`, `timeout` (stalled), `malformed`, `aborted`
 */
export async function* askDevice(
  connection: Connection,
  request: GenerateRequest & { readonly id: RequestId },
  ports: { readonly clock: Clock },
  options: { readonly signal: AbortSignal },
): AsyncGenerator<RemoteEvent, void, undefined> {
  const { signal } = options
  const stream = await openStream(connection, INFER, ports, options)
  if (signal.aborted) {
    // a right that was taken away while the stream was opened: nothing of the question leaves
    stream.abort(abortReason(signal))
    throw abortReason(signal)
  }
  const onAbort = (): void => {
    stream.abort(abortReason(signal))
  }
  signal.addEventListener('abort', onAbort, { once: true })
  let ended = false
  try {
    const bytes = await stream.write({ type: 'ask', ...request, credit: INFER_CREDIT_FRAMES }, { signal })
    yield { type: 'sent', bytes }
    let expected = 0
    let owed = 0
    const expectSensible = sensible(request, ports.clock)
    for (;;) {
      const frame = await stream.read(answerFrame, { signal, timeoutMs: INFER_STALL_MS })
      expectSensible(frame)
      if ('sequence' in frame) {
        const { sequence, ...event } = frame
        if (sequence !== expected)
          throw new MeshError('malformed', `The answer has a gap: part ${String(expected)} is missing.`)
        if (event.type === 'end') {
          ended = true
          yield event
          return
        }
        expected += 1
        owed += 1
        if (owed >= INFER_GRANT_FRAMES) {
          await stream.write({ type: 'grant', frames: owed }, { signal })
          owed = 0
        }
        yield event
      } else yield frame
    }
  } finally {
    signal.removeEventListener('abort', onAbort)
    if (ended) stream.close()
    else stream.abort(new MeshError('aborted', 'The answer is not wanted any more.'))
  }
}

/**
 * Checks frame after frame that an answer is one: not longer than was asked for, and getting on.
 * A device could fill the memory of whoever asks, or keep somebody waiting for ever with signs of life.
 */
function sensible({ sampling }: GenerateRequest, clock: Clock): (frame: GenerateEvent) => void {
  const most = Math.min(INFER_ANSWER_MAX_LENGTH, (sampling.maxTokens ?? Infinity) * INFER_TOKEN_MAX_LENGTH)
  let length = 0
  let furthest = -Infinity
  let progressAt = clock.monotonic()
  return (frame) => {
    const now = clock.monotonic()
    if (frame.type === 'text') length += frame.text.length
    if (length > most) throw new MeshError('too-large', 'The other device goes on where an answer would have ended.')
    const at = progressOf(frame)
    if (at > furthest || (frame.type === 'text' && frame.text !== '')) progressAt = now
    furthest = Math.max(furthest, at)
    if (now - progressAt > INFER_NO_PROGRESS_MS)
      throw new MeshError('timeout', 'The other device says that it is at work, and gets on with nothing.')
  }
}

/** How far an answer has come, as a number that rises from phase to phase. */
function progressOf(frame: GenerateEvent): number {
  if (frame.type === 'queued') return -frame.ahead
  if (frame.type === 'loading') return 1 + frame.fraction
  return frame.type === 'reading' ? 3 + frame.doneTokens : Infinity
}
