import type { Clock, Random } from '../../mesh/base/index.ts'

/** The part of a query that says: this very helper led here. */
export const OPENING_QUERY = 'opened'
/** Marks that are good at once; the oldest gives way. */
const MARKS_MAX = 16
const MARK_BYTES = 16
/** How long a mark is good, in ms: a browser may have to start first. */
const MARK_LIFETIME_MS = 10 * 60_000

/** Pages that this helper opens itself, told from those that another site leads to. */
export interface Openings {
  /** The same address with a mark that is good once. */
  mark(url: string): string
  /** Whether the mark is good; from now on it is not. */
  take(mark: string): boolean
}

/** No marks yet. They are in memory alone: who restarts opens anew. */
export function createOpenings({ clock, random }: { readonly clock: Clock; readonly random: Random }): Openings {
  const marks = new Map<string, number>()
  return {
    mark(url) {
      const mark = Buffer.from(random.bytes(MARK_BYTES)).toString('hex')
      const [oldest] = marks.keys()
      if (marks.size >= MARKS_MAX && oldest !== undefined) marks.delete(oldest)
      marks.set(mark, clock.monotonic())
      const marked = new URL(url)
      marked.searchParams.set(OPENING_QUERY, mark)
      return marked.href
    },
    take(mark) {
      const at = marks.get(mark)
      marks.delete(mark)
      return at !== undefined && clock.monotonic() - at < MARK_LIFETIME_MS
    },
  }
}
