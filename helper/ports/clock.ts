import { performance } from 'node:perf_hooks'
import type { Clock } from '../../mesh/base/index.ts'

/** Real time. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  busyMs: () => performance.eventLoopUtilization().active,
  schedule(delayMs, callback) {
    const timer = setTimeout(callback, delayMs)
    return () => {
      clearTimeout(timer)
    }
  },
}
