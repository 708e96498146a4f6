import {
  abortReason,
  asMeshError,
  createEvents,
  MeshError,
  messageOf,
  type ChatId,
  type Clock,
  type ErrorCode,
  type EventSource,
  type Logger,
  type MessageId,
  type ModelId,
} from '../../mesh/base/index.ts'
import type { ChatMessage } from '../../mesh/engine/index.ts'
import type { Mesh } from '../../mesh/mesh-types.ts'
import type { AskEvent } from '../../mesh/route/index.ts'
import type { AnswerFigures, AnswerWriter, Chats, MessageView } from '../../mesh/state/index.ts'
import type { Answering, AskOptions, LiveChange } from './app-peer.ts'
import { trackAnswer, type LiveTrack } from './live-answer.ts'
import { readinessOf } from './readiness.ts'

/** How often a waiting or writing answer is told again, in ms, so that its numbers move. */
export const TICK_MS = 500

/** What answering stands on. */
export interface AnsweringPorts {
  readonly chats: Chats
  readonly clock: Clock
  readonly log: Logger
  /** The running mesh; undefined while it starts. */
  mesh(): Mesh | undefined
  /** False in a tab that does not hold the peer. */
  mayAsk(): boolean
  /** Mesh or standing changed. */
  readonly peerChanges: EventSource<void>
}

/** {@link Answering} with its end, for the owner of the peer. */
export interface AnsweringControl extends Answering {
  /** Ends every answer on its way as `failed` for this reason, text kept. Resolves once that is stored, or told that it cannot be. */
  interrupt(reason: Interruption): Promise<void>
}

/** Why answers end that nobody stopped. */
export interface Interruption {
  readonly code: ErrorCode
  readonly message: string
}

interface Live {
  readonly chat: ChatId
  readonly writer: AnswerWriter
  readonly track: LiveTrack
  readonly controller: AbortController
  readonly model: ModelId | undefined
  /** The answer shown before, for one that is asked again. */
  readonly earlier: MessageId | undefined
  interrupted: Interruption | undefined
  done: Promise<void>
}

/** Asks the mesh and writes what comes into the chat. */
export function createAnswering(ports: AnsweringPorts): AnsweringControl {
  const { chats, clock } = ports
  const log = ports.log.child('answering')
  const changes = createEvents<LiveChange>((error) => {
    log.error('a listener failed', { error })
  })
  const lives = new Map<MessageId, Live>()
  /** Chats whose question is being stored right now. */
  const starting = new Set<ChatId>()
  let ticking = false

  const tell = (live: Live, kind: LiveChange['kind']): void => {
    changes.emit({ chat: live.chat, message: live.writer.id, kind })
  }

  const tick = (): void => {
    ticking = lives.size > 0
    if (!ticking) return
    for (const live of lives.values()) tell(live, 'progress')
    clock.schedule(TICK_MS, tick)
  }

  // ---- one answer ----

  const run = async (live: Live, prompt: readonly ChatMessage[]): Promise<void> => {
    const { signal } = live.controller
    try {
      const mesh = await waitForDevice(live)
      const figures = await consume(live, mesh.ask({ messages: prompt, model: live.model, sampling: {} }, { signal }))
      await live.writer.finish({ state: 'done', figures })
    } catch (error) {
      await finishWithout(live, error)
    }
  }

  /** Resolves to a mesh in which some device can answer. */
  const waitForDevice = async (live: Live): Promise<Mesh> => {
    const { signal } = live.controller
    for (;;) {
      if (signal.aborted) throw abortReason(signal)
      if (!ports.mayAsk()) throw new MeshError('refused', 'Another tab answers now. Use it here, then ask again.')
      const mesh = ports.mesh()
      const readiness = mesh && readinessOf(mesh.devices(), live.model)
      if (mesh !== undefined && readiness?.ready === true) return mesh
      if (readiness === undefined || readiness.ready) live.track.waiting('peer')
      else live.track.waiting(readiness.waitsFor, readiness.fraction)
      tell(live, 'progress')
      await nextChange(mesh, signal)
    }
  }

  const nextChange = (mesh: Mesh | undefined, signal: AbortSignal): Promise<void> =>
    new Promise((resolve) => {
      const end = (): void => {
        for (const stop of stops) stop()
        signal.removeEventListener('abort', end)
        resolve()
      }
      const stops = [ports.peerChanges.subscribe(end)]
      if (mesh !== undefined) stops.push(mesh.events.subscribe(end))
      // nothing may be missed that changes without an event
      stops.push(clock.schedule(TICK_MS * 2, end))
      signal.addEventListener('abort', end, { once: true })
    })

  const consume = async (live: Live, events: AsyncIterable<AskEvent>): Promise<AnswerFigures> => {
    const { signal } = live.controller
    const iterator = events[Symbol.asyncIterator]()
    try {
      for (;;) {
        // the stop must not wait for a device that no longer answers
        const next = await unlessAborted(iterator.next(), signal)
        if (next.done === true) throw new MeshError('peer-gone', 'The answer broke off before its end.')
        const event = next.value
        live.track.hear(event)
        if (event.type === 'route') live.writer.route(event.route)
        if (event.type === 'text') live.writer.append(event.text)
        if (event.type === 'end') return figuresOf(event, live.track)
        tell(live, 'progress')
      }
    } finally {
      iterator.return?.().catch((error: unknown) => {
        log.debug('the ask did not end cleanly', { error: messageOf(error) })
      })
    }
  }

  const finishWithout = async (live: Live, error: unknown): Promise<void> => {
    const failure = asMeshError(error)
    if (live.interrupted === undefined && live.controller.signal.aborted) {
      await live.writer.finish({ state: 'stopped' })
      return
    }
    const { code, message } = live.interrupted ?? failure
    log.info('an answer failed', { code, message: live.writer.id })
    await live.writer.finish({ state: 'failed', error: { code, message } })
    await returnToEarlier(live)
  }

  /** An answer asked again that never came leaves the one there was in view. */
  const returnToEarlier = async (live: Live): Promise<void> => {
    if (live.earlier === undefined || live.track.firstTokenMs() !== undefined) return
    await chats.showBranch(live.chat, live.earlier)
  }

  const start = (
    chat: ChatId,
    writer: AnswerWriter,
    question: MessageId,
    options: AskOptions,
    earlier?: MessageId,
  ): void => {
    const view = chats.get(chat)
    const live: Live = {
      chat,
      writer,
      track: trackAnswer(clock, chat, writer.id),
      controller: new AbortController(),
      model: options.model ?? view?.model,
      earlier,
      interrupted: undefined,
      done: Promise.resolve(),
    }
    lives.set(writer.id, live)
    tell(live, 'started')
    live.done = run(live, promptOf(view?.path ?? [], question))
      .catch((error: unknown) => {
        // the chats tell the person; the text is kept and stored later
        log.warn('an answer could not be stored at its end', { error: messageOf(error) })
      })
      .finally(() => {
        lives.delete(writer.id)
        tell(live, 'ended')
      })
    if (!ticking) {
      ticking = true
      clock.schedule(TICK_MS, tick)
    }
  }

  // ---- what a person does ----

  const claim = async <Value>(chat: ChatId, work: () => Promise<Value>): Promise<Value> => {
    if (!ports.mayAsk())
      throw new MeshError('refused', 'Another tab of this browser answers. Use it here to ask from this one.')
    if (starting.has(chat) || [...lives.values()].some((live) => live.chat === chat)) {
      throw new MeshError('busy', 'This chat has an answer on its way. Stop it, or wait for it.')
    }
    starting.add(chat)
    try {
      return await work()
    } finally {
      starting.delete(chat)
    }
  }

  const need = (chat: ChatId, message: MessageId, author: MessageView['author']): MessageView => {
    const found = chats.get(chat)?.path.find((each) => each.id === message)
    if (found?.author !== author) throw new MeshError('usage', 'This message is not shown in the chat any more.')
    return found
  }

  const ask = async (
    chat: ChatId,
    question: MessageId,
    options: AskOptions,
    earlier?: MessageId,
  ): Promise<MessageId> => {
    const writer = await chats.addAnswer(chat, question)
    start(chat, writer, question, options, earlier)
    return writer.id
  }

  return {
    changes,
    send: (chat, text, options = {}) =>
      claim(chat, async () => {
        const leaf = chats.get(chat)?.path.at(-1)
        // sent before, but its answer could not be begun: the same words are the same question
        const isAgain = leaf?.author === 'person' && leaf.text === text
        const question = isAgain ? leaf.id : await chats.addPersonMessage(chat, leaf?.id ?? null, text)
        return { question, answer: await ask(chat, question, options) }
      }),
    regenerate: (chat, answer, options = {}) =>
      claim(chat, async () => {
        const { parent } = need(chat, answer, 'ai')
        if (parent === null) throw new MeshError('usage', 'This answer belongs to no question.')
        return ask(chat, parent, options, answer)
      }),
    edit: (chat, question, text, options = {}) =>
      claim(chat, async () => {
        const { parent } = need(chat, question, 'person')
        const added = await chats.addPersonMessage(chat, parent, text)
        return { question: added, answer: await ask(chat, added, options) }
      }),
    stop(answer) {
      lives.get(answer)?.controller.abort(new MeshError('aborted', 'Stopped.'))
    },
    live: (answer) => lives.get(answer)?.track.snapshot(),
    liveIn: (chat) => [...lives.values()].find((live) => live.chat === chat)?.track.snapshot(),
    async interrupt(reason) {
      const all = [...lives.values()]
      for (const live of all) {
        if (live.controller.signal.aborted) continue
        live.interrupted = reason
        live.controller.abort(new MeshError(reason.code, reason.message))
      }
      await Promise.all(all.map((live) => live.done))
    },
  }
}

/** What the engine is told of the chat: the branch up to the question, without answers that have no text. */
function promptOf(path: readonly MessageView[], question: MessageId): ChatMessage[] {
  const end = path.findIndex((message) => message.id === question)
  return path
    .slice(0, end + 1)
    .filter((message) => message.text !== '')
    .map((message) => ({
      role: message.author === 'person' ? ('user' as const) : ('assistant' as const),
      content: message.text,
    }))
}

function figuresOf(end: Extract<AskEvent, { type: 'end' }>, track: LiveTrack): AnswerFigures {
  const { usage, timings, bytesSent } = end
  const followed = usage.completionTokens - 1
  const tokensPerSecond = followed > 0 && timings.decodeMs > 0 ? (followed * 1_000) / timings.decodeMs : 0
  return { usage, firstTokenMs: track.firstTokenMs() ?? timings.firstTokenMs, tokensPerSecond, bytesSent }
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
