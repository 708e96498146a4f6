import type { Clock } from '../../mesh/base/index.ts'
import { nativeWorkDone } from './native-work.ts'

interface Timer {
  readonly dueAtMs: number
  readonly order: number
  readonly callback: () => void
}

/** Time that stands still until a test moves it. */
export interface VirtualClock extends Clock {
  /** Moves time on by `durationMs` and runs what falls due, in order, each at its own moment. */
  advance(durationMs: number): void
  /** As {@link advance}, and lets promises and I/O callbacks settle before, between and after. */
  advanceAsync(durationMs: number): Promise<void>
  /** The wall clock jumps (sleep of the machine, a corrected time); no timer runs and `monotonic` stays. */
  jumpWallClock(byMs: number): void
  /** How many timers wait. */
  readonly pending: number
}

/** Lets every settled promise and finished I/O run its callbacks, and the platform finish what it works on. */
export async function settle(rounds = 3): Promise<void> {
  do {
    for (let round = 0; round < rounds; round++) {
      await new Promise<void>((resolve) => {
        setImmediate(resolve)
      })
    }
  } while (await nativeWorkDone())
}

/** A clock that begins at `startMs` (ms since 1970, default 2026-01-01). */
export function createVirtualClock(startMs: number = Date.UTC(2026, 0, 1)): VirtualClock {
  let elapsedMs = 0
  let wallOffsetMs = startMs
  let order = 0
  const timers = new Set<Timer>()

  const nextDue = (untilMs: number): Timer | undefined => {
    let next: Timer | undefined
    for (const timer of timers) {
      if (timer.dueAtMs > untilMs) continue
      if (
        next === undefined ||
        timer.dueAtMs < next.dueAtMs ||
        (timer.dueAtMs === next.dueAtMs && timer.order < next.order)
      ) {
        next = timer
      }
    }
    return next
  }

  const runNext = (untilMs: number): boolean => {
    const timer = nextDue(untilMs)
    if (timer === undefined) return false
    timers.delete(timer)
    elapsedMs = Math.max(elapsedMs, timer.dueAtMs)
    timer.callback()
    return true
  }

  return {
    get pending() {
      return timers.size
    },
    now: () => wallOffsetMs + elapsedMs,
    monotonic: () => elapsedMs,
    schedule(delayMs, callback) {
      const timer = { dueAtMs: elapsedMs + Math.max(0, delayMs), order: order++, callback }
      timers.add(timer)
      return () => {
        timers.delete(timer)
      }
    },
    advance(durationMs) {
      const untilMs = elapsedMs + durationMs
      while (runNext(untilMs));
      elapsedMs = untilMs
    },
    async advanceAsync(durationMs) {
      const untilMs = elapsedMs + durationMs
      await settle()
      while (runNext(untilMs)) await settle()
      elapsedMs = untilMs
      await settle()
    },
    jumpWallClock(byMs) {
      wallOffsetMs += byMs
    },
  }
}
