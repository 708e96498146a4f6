import { createEvents, MeshError, type ChatId, type MessageId } from '../../../mesh/base/index.ts'
import type { Answering, LiveAnswer, LiveChange } from '../../../app/peer/app-peer.ts'
import type { AnswerFigures, AnswerWriter } from '../../../mesh/state/index.ts'
import type { Route } from '../../../mesh/route/index.ts'
import type { FakeChats } from './fake-chats.ts'

/** How fast a scripted answer comes. */
const WORD_MS = 30

/** Figures as an engine would give them. */
export const FIGURES: AnswerFigures = {
  usage: { promptTokens: 412, cachedTokens: 388, completionTokens: 176 },
  firstTokenMs: 612,
  tokensPerSecond: 41.3,
  bytesSent: 2_507,
}

/** Answering of the preview: says a scripted text word by word. */
export interface FakeAnswering extends Answering {
  /** Shows an answer as being on its way, frozen, for pictures. */
  freeze(live: LiveAnswer): void
}

/** Makes {@link FakeAnswering}. `route` gives nothing where no device can answer: the answer then waits for ever. */
export function createFakeAnswering(
  chats: FakeChats,
  route: () => Route | undefined,
  reply: (question: string) => string,
): FakeAnswering {
  const changes = createEvents<LiveChange>((error) => {
    console.error(error)
  })
  const running = new Map<MessageId, { live: LiveAnswer; stop: () => void }>()

  const run = (chat: ChatId, writer: AnswerWriter, question: string): void => {
    const startedAt = performance.now()
    const chosen = route()
    const words = reply(question).split(/(?<=\s)/)
    let said = 0
    let timer: ReturnType<typeof setTimeout> | undefined
    const tell = (kind: LiveChange['kind']): void => {
      changes.emit({ chat, message: writer.id, kind })
    }
    const set = (part: Partial<LiveAnswer>): void => {
      const entry = running.get(writer.id)
      if (entry === undefined) return
      entry.live = { ...entry.live, elapsedMs: performance.now() - startedAt, ...part }
      tell('progress')
    }
    const end = (finish: Parameters<AnswerWriter['finish']>[0]): void => {
      clearTimeout(timer)
      running.delete(writer.id)
      void writer.finish(finish)
      tell('ended')
    }
    const speak = (): void => {
      const word = words[said]
      if (word === undefined) {
        end({ state: 'done', figures: FIGURES })
        return
      }
      said += 1
      writer.append(word)
      set({ phase: 'writing', phaseMs: said * WORD_MS, tokens: said, tokensPerSecond: 1000 / WORD_MS })
      timer = setTimeout(speak, WORD_MS)
    }
    running.set(writer.id, {
      live: {
        chat,
        message: writer.id,
        phase: chosen === undefined ? 'waiting' : 'connecting',
        waitsFor: chosen === undefined ? 'device' : undefined,
        elapsedMs: 0,
        phaseMs: 0,
        tokens: 0,
        tokensPerSecond: undefined,
        route: chosen,
      },
      stop: () => {
        end({ state: 'stopped' })
      },
    })
    tell('started')
    if (chosen === undefined) return
    writer.route(chosen)
    timer = setTimeout(speak, 120)
  }
  const mustBeFree = (chat: ChatId): void => {
    if ([...running.values()].some((entry) => entry.live.chat === chat))
      throw new MeshError('busy', 'This chat has an answer on its way.')
  }
  return {
    changes,
    async send(chat, text) {
      mustBeFree(chat)
      const question = await chats.addPersonMessage(chat, chats.get(chat)?.path.at(-1)?.id ?? null, text)
      const writer = await chats.addAnswer(chat, question)
      run(chat, writer, text)
      return { question, answer: writer.id }
    },
    async regenerate(chat, answer) {
      mustBeFree(chat)
      const path = chats.get(chat)?.path ?? []
      const parent = path.find((message) => message.id === answer)?.parent
      const question = path.find((message) => message.id === parent)
      if (question === undefined) throw new MeshError('usage', 'There is no such answer.')
      const writer = await chats.addAnswer(chat, question.id)
      run(chat, writer, question.text)
      return writer.id
    },
    async edit(chat, question, text) {
      mustBeFree(chat)
      const before = chats.get(chat)?.path.find((message) => message.id === question)
      const changed = await chats.addPersonMessage(chat, before?.parent ?? null, text)
      const writer = await chats.addAnswer(chat, changed)
      run(chat, writer, text)
      return { question: changed, answer: writer.id }
    },
    stop(answer) {
      running.get(answer)?.stop()
    },
    live: (answer) => running.get(answer)?.live,
    liveIn: (chat) => [...running.values()].find((entry) => entry.live.chat === chat)?.live,
    freeze(live) {
      running.set(live.message, {
        live,
        stop: () => {
          running.delete(live.message)
          chats.patch(live.chat, live.message, { state: 'stopped' })
          changes.emit({ chat: live.chat, message: live.message, kind: 'ended' })
        },
      })
    },
  }
}
