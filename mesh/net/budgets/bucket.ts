import type { Clock } from '../../base/index.ts'

/** How much of something may be used: so much a second, and so many seconds' worth of it at once. */
export interface Rate {
  readonly perSecond: number
  readonly burstSeconds: number
}

/** A token bucket that is charged after the fact: it may owe, and whoever owes waits. */
export interface Bucket {
  /** Uses an amount; what goes beyond the bucket is owed. `nowMs` is of the clock's monotonic time, where it was read already. */
  take(amount: number, nowMs?: number): void
  /** How long until nothing is owed any more, in ms; 0: go on. */
  waitMs(nowMs?: number): number
}

/**
 * A full bucket. What is owed never takes longer than `waitMaxMs` to come in: a
 * single dear thing delays whoever sent it, and does not cut its link.
 */
export function createBucket(rate: Rate, clock: Pick<Clock, 'monotonic'>, waitMaxMs: number): Bucket {
  const full = rate.perSecond * rate.burstSeconds
  const deepest = (-rate.perSecond * waitMaxMs) / 1_000
  let level = full
  let at = clock.monotonic()
  const fill = (now: number): void => {
    level = Math.min(full, level + ((now - at) / 1_000) * rate.perSecond)
    at = now
  }
  return {
    take(amount, nowMs = clock.monotonic()) {
      fill(nowMs)
      level = Math.max(deepest, level - amount)
    },
    waitMs(nowMs = clock.monotonic()) {
      fill(nowMs)
      return level >= 0 ? 0 : Math.ceil((-level / rate.perSecond) * 1_000)
    },
  }
}
