/** One slice of a prompt shall take about this long, so that a stop acts well within 200 ms. */
const TARGET_MS = 80
const FIRST_TOKENS = 16
const LEAST_TOKENS = 1
const MOST_TOKENS = 512
const GROWTH = 2
/** Weight of the newest measurement. */
const FRESH = 0.5

/** Chooses how many tokens of a prompt are read before the next look at the signal. */
export interface SliceSize {
  next(): number
  /** Tells how long the last slice took. */
  measured(tokens: number, elapsedMs: number): void
}

/** Starts small, at most doubles, and follows the measured speed of reading. */
export function createSliceSize(): SliceSize {
  let size = FIRST_TOKENS
  let msPerToken: number | undefined
  return {
    next: () => size,
    measured(tokens, elapsedMs) {
      const now = elapsedMs / Math.max(1, tokens)
      // A slow slice counts at once: the machine may have become busy.
      msPerToken = msPerToken === undefined || now > msPerToken ? now : msPerToken * (1 - FRESH) + now * FRESH
      const fitting = Math.floor(TARGET_MS / Math.max(msPerToken, 0.001))
      size = Math.max(LEAST_TOKENS, Math.min(MOST_TOKENS, size * GROWTH, fitting))
    },
  }
}
