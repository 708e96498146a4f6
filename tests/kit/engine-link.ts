import type { FromEngine, ToEngine } from '../../helper/engines/llama/index.ts'
import type { EngineLink } from '../../helper/engines/index.ts'

/** An engine process that a test plays: it sees the orders and says what the test lets it say. */
export interface PlayedEngine {
  readonly orders: ToEngine[]
  readonly isKilled: () => boolean
  say(message: FromEngine): void
  /** Says anything at all. */
  babble(raw: unknown): void
  /** The process ends by itself. */
  die(ending?: string): void
}

/** A line to a played engine; `onOrder` lets it answer by itself. */
export function playEngine(onOrder?: (order: ToEngine, engine: PlayedEngine) => void): {
  link: EngineLink
  engine: PlayedEngine
} {
  let hear: (raw: unknown) => void = () => undefined
  let tellExit: (ending: string) => void = () => undefined
  let isOver = false
  let isKilled = false
  const end = (ending: string): void => {
    if (isOver) return
    isOver = true
    tellExit(ending)
  }
  const engine: PlayedEngine = {
    orders: [],
    isKilled: () => isKilled,
    say: (message) => {
      if (!isOver) hear(message)
    },
    babble: (raw) => {
      hear(raw)
    },
    die: (ending = 'SIGSEGV') => {
      end(ending)
    },
  }
  const link: EngineLink = {
    send(message) {
      engine.orders.push(message)
      queueMicrotask(() => onOrder?.(message, engine))
    },
    onMessage(listener) {
      hear = listener
    },
    onExit(listener) {
      tellExit = listener
    },
    kill() {
      isKilled = true
      queueMicrotask(() => {
        end('SIGKILL')
      })
    },
  }
  return { link, engine }
}
