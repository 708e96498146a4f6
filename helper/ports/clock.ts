import type { Clock } from '../../mesh/base/index.ts'

/** Real time. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  busyMs() {
    // the processor's own time: what other programs take of it is charged to nobody
    const { user, system } = process.cpuUsage()
    return (user + system) / 1_000
  },
  schedule(delayMs, callback) {
    const timer = setTimeout(callback, delayMs)
    return () => {
      clearTimeout(timer)
    }
  },
}
