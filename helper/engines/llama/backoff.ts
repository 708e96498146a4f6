import type { Clock } from '../../../mesh/base/index.ts'

const FIRST_MS = 1_000
const MOST_MS = 60_000
/** After so long without a loss the next one counts as the first. */
const HEALTHY_MS = 60_000

/** How long to wait before something that failed is started again. */
export interface Backoff {
  /** The next wait in ms: one second, then twice as long each time, up to a minute. */
  next(key: string): number
  /** Says that it did its work; the next wait is the first again once it has been well for a minute. */
  worked(key: string): void
}

/** Counts failures by name. */
export function createBackoff(clock: Clock): Backoff {
  const failures = new Map<string, { count: number; lastAt: number; hasWorked: boolean }>()
  return {
    next(key) {
      const before = failures.get(key)
      const now = clock.monotonic()
      const isFresh = before === undefined || (before.hasWorked && now - before.lastAt >= HEALTHY_MS)
      const count = isFresh ? 0 : before.count + 1
      failures.set(key, { count, lastAt: now, hasWorked: false })
      return Math.min(MOST_MS, FIRST_MS * 2 ** Math.min(count, 16))
    },
    worked(key) {
      const entry = failures.get(key)
      if (entry !== undefined) entry.hasWorked = true
    },
  }
}
