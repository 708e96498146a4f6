import type { ClockRange } from './update.ts'

/** An envelope that erased something, by its place. */
export interface Eraser {
  readonly chain: number
  readonly sequence: number
}

/**
 * Which envelopes erased which clocks, of each clock one: the first that was looked at.
 * Who erases the same a thousand times makes a proof no longer, and looking one up costs
 * the logarithm of all that was erased.
 */
export interface Erasers {
  /** Notes what an envelope erases. */
  add(eraser: Eraser, ranges: readonly ClockRange[]): void
  /** The envelopes that together erased whatever of these clocks was erased, each once. */
  of(chain: number, first: number, count: number): readonly Eraser[]
}

/** Clocks that one envelope erased; those of one chain are sorted and disjoint. */
interface Piece {
  readonly first: number
  readonly end: number
  readonly by: Eraser
}

/** Nothing was erased yet. */
export function createErasers(): Erasers {
  const pieces = new Map<number, readonly Piece[]>()
  /** What was noted since somebody asked: put in order together. */
  const noted = new Map<number, Piece[]>()

  const piecesOf = (chain: number): readonly Piece[] => {
    const known = pieces.get(chain) ?? []
    const added = noted.get(chain)
    if (added === undefined) return known
    noted.delete(chain)
    const all = withPieces(known, added)
    pieces.set(chain, all)
    return all
  }

  return {
    add(by, ranges) {
      for (const { chain, clock, count } of ranges) {
        const list = noted.get(chain)
        const piece = { first: clock, end: clock + count, by }
        if (list === undefined) noted.set(chain, [piece])
        else list.push(piece)
      }
    },
    of(chain, first, count) {
      const all = piecesOf(chain)
      const found = new Set<Eraser>()
      for (let at = firstBehind(all, first); at < all.length; at++) {
        const piece = all[at]
        if (piece === undefined || piece.first >= first + count) break
        found.add(piece.by)
      }
      return [...found]
    },
  }
}

/** The pieces with what the added ones erased and they did not; n log n in both. */
function withPieces(known: readonly Piece[], added: readonly Piece[]): readonly Piece[] {
  const fresh: Piece[] = []
  let at = 0
  /** Below this clock everything is in one of them. */
  let reached = 0
  for (const { first, end, by } of added.toSorted((a, b) => a.first - b.first)) {
    let from = Math.max(first, reached)
    while (from < end) {
      while ((known[at]?.end ?? Number.POSITIVE_INFINITY) <= from) at += 1
      const next = known[at]
      if (next !== undefined && next.first <= from) from = next.end
      else {
        const until = Math.min(end, next?.first ?? end)
        fresh.push({ first: from, end: until, by })
        from = until
      }
    }
    reached = Math.max(reached, end)
  }
  return [...known, ...fresh].sort((a, b) => a.first - b.first)
}

/** Where the first piece is that ends behind a clock. */
function firstBehind(pieces: readonly Piece[], clock: number): number {
  let low = 0
  let high = pieces.length
  while (low < high) {
    const middle = (low + high) >> 1
    if ((pieces[middle]?.end ?? 0) <= clock) low = middle + 1
    else high = middle
  }
  return low
}
