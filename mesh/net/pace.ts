import type { Clock } from '../base/index.ts'

/**
 * Work that others can cause as often as they like, done at once and then every so often:
 * the returned function asks for it.
 */
export function createPace(clock: Clock, everyMs: number, work: () => void): () => void {
  let doneAt = -Infinity
  let isDue = false
  const ask = (): void => {
    if (isDue) return
    const waitMs = doneAt + everyMs - clock.monotonic()
    if (waitMs > 0) {
      isDue = true
      clock.schedule(waitMs, () => {
        isDue = false
        ask()
      })
      return
    }
    doneAt = clock.monotonic()
    work()
  }
  return ask
}
