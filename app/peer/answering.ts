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
import type { AnswerFigures, AnswerWriter, Chats, MessageView, UnbegunAnswer } from '../../mesh/state/index.ts'
import type { Answering, Asked, AskOptions, LiveAnswer, LiveChange } from './app-peer.ts'
import { trackAnswer, type LiveTrack } from './live-answer.ts'
import { readinessOf } from './readiness.ts'
import { movedError } from './remote/moved.ts'

/** How often a waiting or writing answer is told again, in ms, so that its numbers move. */
export const TICK_MS = 500

/** What answering stands on. */
export interface AnsweringPorts {
  readonly chats: Chats
  readonly clock: Clock
  readonly log: Logger
  /** The running mesh; undefined while it starts. */
  mesh(): Mesh | undefined
  /** The mesh changed. */
  readonly peerChanges: EventSource<void>
}

/** {@link Answering} with its beginning and end, for the owner of the peer. */
export interface AnsweringControl extends Answering {
  /** From here on questions are taken. */
  begin(): void
  /** Goes on with an answer that another tab had begun without a word of it. @throws MeshError of the Store, `conflict`. */
  resume(answer: UnbegunAnswer, model: ModelId | undefined): Promise<void>
  /** Every answer on its way, with its text so far. */
  writing(): readonly { readonly live: LiveAnswer; readonly text: string }[]
  /**
   * Ends every answer that has text as `failed` for this reason, its text kept; others wait
   * for the mesh again. Resolves once that is stored, or told that it cannot be.
   */
  interrupt(reason: Interruption): Promise<void>
  /** As {@link interrupt}, and leaves those without text open in the chats, for the tab that leads next. */
  handOver(reason: Interruption): Promise<void>
  /** Another tab leads already: nothing more is asked and nothing written. */
  drop(): void
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
  /** Of the present try; a new one when it waits for the mesh again. */
  controller: AbortController
  readonly model: ModelId | undefined
  /** The answer shown before, for one that is asked again. */
  readonly earlier: MessageId | undefined
  interrupted: Interruption | undefined
  /** Another tab has it now. */
  dropped: boolean
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
  let taking = false

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
    for (;;) {
      const { signal } = live.controller
      try {
        const mesh = await waitForDevice(live)
        const figures = await consume(live, mesh.ask({ messages: prompt, model: live.model, sampling: {} }, { signal }))
        await live.writer.finish({ state: 'done', figures })
        return
      } catch (error) {
        if (live.dropped) return
        // interrupted before a word had come: it waits again
        if (signal !== live.controller.signal) continue
        await finishWithout(live, error)
        return
      }
    }
  }

  /** Resolves to a mesh in which some device can answer. */
  const waitForDevice = async (live: Live): Promise<Mesh> => {
    const { signal } = live.controller
    for (;;) {
      if (signal.aborted) throw abortReason(signal)
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
    const model = options.model ?? chats.get(chat)?.model
    const live: Live = {
      chat,
      writer,
      track: trackAnswer(clock, chat, writer.id, model),
      controller: new AbortController(),
      model,
      earlier,
      interrupted: undefined,
      dropped: false,
      done: Promise.resolve(),
    }
    lives.set(writer.id, live)
    tell(live, 'started')
    live.done = run(live, promptOf(chats.branch(chat, question) ?? []))
      .catch((error: unknown) => {
        // the chats tell the person; the text is kept and stored later
        log.warn('an answer could not be stored at its end', { error: messageOf(error) })
      })
      .finally(() => {
        if (!live.dropped) forget(live)
      })
    if (!ticking) {
      ticking = true
      clock.schedule(TICK_MS, tick)
    }
  }

  const forget = (live: Live): void => {
    lives.delete(live.writer.id)
    tell(live, 'ended')
  }

  const abandon = (live: Live): void => {
    live.dropped = true
    live.writer.abandon()
    live.controller.abort(movedError())
    forget(live)
  }

  // ---- what a person does ----

  const claim = async <Value>(chat: ChatId, work: () => Promise<Value>): Promise<Value> => {
    if (!taking) throw movedError()
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
    if (found?.author !== author) throw gone()
    return found
  }

  const mayStart = (): boolean => taking

  /** What was added under these names already, by a wish whose result got lost. */
  const done = (chat: ChatId, ids: Asked | undefined): Asked | undefined => {
    const question = ids && chats.branch(chat, ids.answer)?.at(-2)
    return question && { question: question.id, answer: ids.answer }
  }

  const say = (chat: ChatId, parent: MessageId | null, text: string, options: AskOptions): Promise<MessageId> =>
    chats.addPersonMessage(chat, parent, text, { id: options.ids?.question })

  const ask = async (
    chat: ChatId,
    question: MessageId,
    options: AskOptions,
    earlier?: MessageId,
  ): Promise<MessageId> => {
    const writer = await chats.addAnswer(chat, question, { id: options.ids?.answer })
    if (!mayStart()) {
      writer.abandon()
      throw movedError()
    }
    start(chat, writer, question, options, earlier)
    return writer.id
  }

  const interrupt = async (reason: Interruption): Promise<void> => {
    const all = [...lives.values()].filter((live) => !isEnding(live))
    for (const live of all) {
      const { controller } = live
      if (live.track.text() === '') {
        live.controller = new AbortController()
        live.track.waiting('peer')
      } else {
        live.interrupted = reason
      }
      controller.abort(new MeshError(reason.code, reason.message))
    }
    const ending = [...lives.values()].filter((live) => live.interrupted !== undefined || isEnding(live))
    await Promise.all(ending.map((live) => live.done))
  }

  return {
    changes,
    send: async (chat, text, options = {}) =>
      done(chat, options.ids) ??
      claim(chat, async () => {
        const leaf = chats.get(chat)?.path.at(-1)
        // sent before, but its answer could not be begun: the same words are the same question
        const isAgain = leaf?.author === 'person' && leaf.text === text
        const question = isAgain ? leaf.id : await say(chat, leaf?.id ?? null, text, options)
        return { question, answer: await ask(chat, question, options) }
      }),
    regenerate: async (chat, answer, options = {}) =>
      done(chat, options.ids)?.answer ??
      claim(chat, async () => {
        const { parent } = need(chat, answer, 'ai')
        if (parent === null) throw new MeshError('usage', 'This answer belongs to no question.')
        // a question that came late and nobody chose is told to no model
        need(chat, parent, 'person')
        return ask(chat, parent, options, answer)
      }),
    edit: async (chat, question, text, options = {}) =>
      done(chat, options.ids) ??
      claim(chat, async () => {
        const before = chats.branch(chat, question)?.at(-1)
        if (before?.author !== 'person') throw gone()
        const added = await say(chat, before.parent, text, options)
        return { question: added, answer: await ask(chat, added, options) }
      }),
    stop(answer) {
      lives.get(answer)?.controller.abort(new MeshError('aborted', 'Stopped.'))
    },
    live: (answer) => lives.get(answer)?.track.snapshot(),
    liveIn: (chat) => [...lives.values()].find((live) => live.chat === chat)?.track.snapshot(),
    begin() {
      taking = true
    },
    resume: ({ chat, question, message }, model) =>
      claim(chat, async () => {
        await ask(chat, question, { model, ids: { question, answer: message } })
      }),
    writing: () => [...lives.values()].map(({ track }) => ({ live: track.snapshot(), text: track.text() })),
    interrupt,
    async handOver(reason) {
      taking = false
      const interrupted = interrupt(reason)
      for (const live of [...lives.values()]) if (live.interrupted === undefined && !isEnding(live)) abandon(live)
      await interrupted
    },
    drop() {
      taking = false
      for (const live of [...lives.values()]) abandon(live)
    },
  }
}

/** A person stopped it, and that is being written down. */
function isEnding(live: Live): boolean {
  return live.controller.signal.aborted
}

function gone(): MeshError {
  return new MeshError('usage', 'This message is not shown in the chat any more.')
}

/** What the engine is told of the chat: the branch up to the question, without answers that have no text. */
function promptOf(path: readonly MessageView[]): ChatMessage[] {
  return path
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
