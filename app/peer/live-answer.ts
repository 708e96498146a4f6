import type { ChatId, Clock, MessageId, ModelId } from '../../mesh/base/index.ts'
import type { AskEvent, Route } from '../../mesh/route/index.ts'
import { ANSWER_MAX_LENGTH } from '../../mesh/state/index.ts'
import type { LiveAnswer, LivePhase, WaitsFor } from './app-peer.ts'

/** Follows one answer from the tap on Send and says where it is. */
export interface LiveTrack {
  snapshot(): LiveAnswer
  waiting(waitsFor: WaitsFor, fraction?: number): void
  /** Takes an event of the ask. */
  hear(event: AskEvent): void
  /** ms from the tap on Send to the first text; undefined before it. */
  firstTokenMs(): number | undefined
  /** Everything written so far, up to the greatest length of an answer. */
  text(): string
}

/** Begins now. */
export function trackAnswer(clock: Clock, chat: ChatId, message: MessageId, model?: ModelId): LiveTrack {
  const startedAtMs = clock.monotonic()
  let phase: LivePhase = 'waiting'
  let phaseAtMs = startedAtMs
  let detail: Pick<LiveAnswer, 'waitsFor' | 'ahead' | 'fraction'> = { waitsFor: 'peer' }
  let tokens = 0
  let text = ''
  let firstTextAtMs: number | undefined
  let firstTokens = 0
  let route: Route | undefined

  const enter = (next: LivePhase, more: typeof detail): void => {
    if (next !== phase) phaseAtMs = clock.monotonic()
    phase = next
    detail = more
  }

  /** The first piece came after reading the prompt, so only what followed it tells the speed of writing. */
  const rate = (now: number): number | undefined => {
    if (firstTextAtMs === undefined || tokens <= firstTokens || now <= firstTextAtMs) return undefined
    return ((tokens - firstTokens) * 1_000) / (now - firstTextAtMs)
  }

  return {
    snapshot() {
      const now = clock.monotonic()
      const times = { elapsedMs: now - startedAtMs, phaseMs: now - phaseAtMs }
      return { chat, message, model, phase, ...detail, ...times, tokens, tokensPerSecond: rate(now), route }
    },
    waiting(waitsFor, fraction) {
      enter('waiting', { waitsFor, fraction })
    },
    hear(event) {
      if (event.type === 'route') {
        route = event.route
        enter('connecting', {})
      } else if (event.type === 'phase') {
        enter(event.phase, { ahead: event.ahead, fraction: event.fraction })
      } else if (event.type === 'text') {
        if (firstTextAtMs === undefined && event.text !== '') {
          firstTextAtMs = clock.monotonic()
          firstTokens = event.tokenCount
        }
        tokens += event.tokenCount
        text += event.text.slice(0, ANSWER_MAX_LENGTH - text.length)
        enter('writing', {})
      }
    },
    firstTokenMs: () => (firstTextAtMs === undefined ? undefined : firstTextAtMs - startedAtMs),
    text: () => text,
  }
}
