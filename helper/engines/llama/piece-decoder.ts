/** A character takes at most four bytes, and so at most four byte tokens. */
const HELD_LIMIT = 4
const REPLACEMENT = '\uFFFD'

/** Turns tokens into text as they come. */
export interface PieceDecoder {
  /** The text that is whole now; empty while a character is not complete. */
  push(token: number): string
  /** What is left, whole or not. */
  flush(): string
}

/**
 * Tokens of some vocabularies are single bytes, so one character may need
 * several. Nothing is given out until the character is whole; four tokens that
 * still make none are damaged text and are given out as such.
 */
export function createPieceDecoder(
  detokenize: (tokens: readonly number[], before: readonly number[]) => string,
): PieceDecoder {
  let held: number[] = []
  let before: readonly number[] = []
  const release = (): string => {
    const text = detokenize(held, before)
    before = held
    held = []
    return text
  }
  return {
    push(token) {
      held.push(token)
      const isWhole = !detokenize(held, before).endsWith(REPLACEMENT)
      return isWhole || held.length >= HELD_LIMIT ? release() : ''
    },
    flush: () => (held.length === 0 ? '' : release()),
  }
}
