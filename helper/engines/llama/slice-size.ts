/** One slice of a prompt shall take about this long, so that a stop acts well within 200 ms. */
const TARGET_MS = 80
/** A slice this short leaves room to double. */
const SHORT_MS = 35
const FIRST_TOKENS = 16
/** Every slice has a cost of its own, so smaller ones read hardly sooner and far slower. */
const LEAST_TOKENS = 4
const MOST_TOKENS = 512

/** Chooses how many tokens of a prompt are read before the next look at the signal. */
export interface SliceSize {
  next(): number
  /** Tells how long the last slice took. */
  measured(tokens: number, elapsedMs: number): void
}

/**
 * Starts small and follows the time slices take: up by at most double, down by at
 * most half, so that one slice slowed by another program does not ruin the rest.
 */
export function createSliceSize(): SliceSize {
  let size = FIRST_TOKENS
  return {
    next: () => size,
    measured(tokens, elapsedMs) {
      const factor = Math.max(0.5, TARGET_MS / Math.max(elapsedMs, 1))
      if (elapsedMs > TARGET_MS) size = Math.max(LEAST_TOKENS, Math.floor(Math.min(size, tokens) * factor))
      // The short slice at the end of a prompt says nothing about a full one.
      else if (tokens >= size)
        size = Math.min(MOST_TOKENS, Math.floor(size * (elapsedMs < SHORT_MS ? 2 : Math.min(2, factor))))
    },
  }
}
