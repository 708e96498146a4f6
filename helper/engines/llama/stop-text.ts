/** What a piece of text becomes once stop strings were looked for. */
export interface StopStep {
  /** Text that may be shown: it cannot be the beginning of a stop string any more. */
  readonly text: string
  /** True when a stop string was met; nothing follows. */
  readonly stopped: boolean
}

/** Looks for stop strings in text that comes in pieces. */
export interface StopFilter {
  push(text: string): StopStep
  /** What was held back, once no more text comes. */
  flush(): string
}

/**
 * Ends the text before the first of `stops` to be complete, also when one is spread over
 * pieces: text that could be the beginning of a stop string is held back until
 * it is known not to be.
 */
export function createStopFilter(stops: readonly string[]): StopFilter {
  let held = ''
  let isStopped = false
  return {
    push(text) {
      if (isStopped) return { text: '', stopped: true }
      held += text
      const at = firstStop(held, stops)
      if (at !== undefined) {
        const before = held.slice(0, at)
        held = ''
        isStopped = true
        return { text: before, stopped: true }
      }
      const keep = longestBeginning(held, stops)
      const free = held.slice(0, held.length - keep)
      held = held.slice(held.length - keep)
      return { text: free, stopped: false }
    },
    flush() {
      const rest = held
      held = ''
      return rest
    },
  }
}

/**
 * Where the stop string begins that is complete first; of two complete at once,
 * the longer. So the outcome does not depend on how the text was cut.
 */
function firstStop(text: string, stops: readonly string[]): number | undefined {
  let best: { start: number; end: number } | undefined
  for (const stop of stops) {
    const start = text.indexOf(stop)
    const end = start + stop.length
    if (start < 0) continue
    if (best === undefined || end < best.end || (end === best.end && start < best.start)) best = { start, end }
  }
  return best?.start
}

/** Length of the longest end of `text` that some stop string begins with. */
function longestBeginning(text: string, stops: readonly string[]): number {
  let longest = 0
  for (const stop of stops) {
    for (let length = Math.min(stop.length - 1, text.length); length > longest; length--) {
      if (text.endsWith(stop.slice(0, length))) longest = length
    }
  }
  return longest
}
