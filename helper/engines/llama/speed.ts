import type { Clock } from '../../../mesh/base/index.ts'
import type { GenerateEvent, ModelSpeed } from '../../../mesh/engine/index.ts'

/** Shorter answers say more about the moment than about the machine. */
const LEAST_TOKENS = 8
/** Weight of the newest measurement. */
const FRESH = 0.3
/** Changes smaller than this are not written down again. */
const NOTABLE_FRACTION = 0.15

/** Learns how fast a model is on this device from the answers it gives. */
export interface Speedometer {
  note(model: string, end: Extract<GenerateEvent, { type: 'end' }>): void
}

/** `tell` hears of a speed when it is new or has changed notably. */
export function createSpeedometer(clock: Clock, tell: (model: string, speed: ModelSpeed) => void): Speedometer {
  const known = new Map<string, ModelSpeed>()
  const told = new Map<string, ModelSpeed>()
  return {
    note(model, { usage, timings }) {
      const read = usage.promptTokens - usage.cachedTokens
      const before = known.get(model)
      const speed: ModelSpeed = {
        prefillTokensPerSecond: blend(before?.prefillTokensPerSecond, read, timings.prefillMs),
        // The first token came out of the reading; the time runs from it to the last.
        decodeTokensPerSecond: blend(before?.decodeTokensPerSecond, usage.completionTokens - 1, timings.decodeMs),
        measuredAt: clock.now(),
      }
      known.set(model, speed)
      if (speed.prefillTokensPerSecond === 0 || speed.decodeTokensPerSecond === 0) return
      if (!isNotable(told.get(model), speed)) return
      told.set(model, speed)
      tell(model, speed)
    },
  }
}

function blend(before: number | undefined, tokens: number, elapsedMs: number): number {
  if (tokens < LEAST_TOKENS || elapsedMs <= 0) return before ?? 0
  const now = (tokens * 1_000) / elapsedMs
  return before === undefined || before === 0 ? now : before * (1 - FRESH) + now * FRESH
}

function isNotable(before: ModelSpeed | undefined, now: ModelSpeed): boolean {
  if (before === undefined) return true
  const changed = (a: number, b: number): boolean => Math.abs(a - b) > a * NOTABLE_FRACTION
  return (
    changed(before.prefillTokensPerSecond, now.prefillTokensPerSecond) ||
    changed(before.decodeTokensPerSecond, now.decodeTokensPerSecond)
  )
}
