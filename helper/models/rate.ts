import type { Clock } from '../../mesh/base/index.ts'

const WINDOW_MS = 5_000

/** The mean rate over the last five seconds; what was there at the start does not count. */
export function createRate(clock: Clock): (totalBytes: number) => number {
  const points: { atMs: number; bytes: number }[] = []
  return (totalBytes) => {
    const atMs = clock.monotonic()
    points.push({ atMs, bytes: totalBytes })
    while (points.length > 2 && atMs - (points[0]?.atMs ?? atMs) > WINDOW_MS) points.shift()
    const first = points[0]
    if (first === undefined || atMs <= first.atMs) return 0
    return Math.max(0, ((totalBytes - first.bytes) * 1000) / (atMs - first.atMs))
  }
}
