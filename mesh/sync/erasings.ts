import type { ClockRange } from './update.ts'

/** Where an envelope stands: its chain and its place there. */
export interface EnvelopePlace {
  readonly chain: number
  readonly sequence: number
}

/** Which envelope erased what, by the chain whose entries are erased. */
export interface Erasings {
  /** An envelope erases these. */
  add(by: EnvelopePlace, ranges: readonly ClockRange[]): void
  /** Takes back the last {@link Erasings.add}, which was of these. */
  takeBack(ranges: readonly ClockRange[]): void
  /**
   * Envelopes that together erased all of these clocks of a chain; undefined when they did not. Of many that
   * erased the same only as many as are needed: at most one for each clock.
   */
  coverOf(chain: number, first: number, count: number): readonly EnvelopePlace[] | undefined
  /** What of a chain is erased, in no order and perhaps twice. */
  clocksOf(chain: number): readonly (readonly [first: number, count: number])[]
}

interface Erasing {
  readonly clock: number
  readonly end: number
  readonly by: EnvelopePlace
}

/** What one chain lost, sorted by where a range begins, and of all up to each which reaches furthest. */
interface Reach {
  readonly clocks: readonly number[]
  readonly furthest: readonly Erasing[]
}

/** Nothing is erased yet. */
export function createErasings(): Erasings {
  const byChain = new Map<number, Erasing[]>()
  const reaches = new Map<number, Reach>()

  const reachOf = (chain: number): Reach => {
    const known = reaches.get(chain) ?? reachIn(byChain.get(chain) ?? [])
    reaches.set(chain, known)
    return known
  }

  return {
    add(by, ranges) {
      for (const { chain, clock, count } of ranges) {
        const ofChain = byChain.get(chain) ?? []
        byChain.set(chain, ofChain)
        ofChain.push({ clock, end: clock + count, by })
        reaches.delete(chain)
      }
    },
    takeBack(ranges) {
      for (const { chain } of ranges) {
        byChain.get(chain)?.pop()
        reaches.delete(chain)
      }
    },
    coverOf(chain, first, count) {
      const { clocks, furthest } = reachOf(chain)
      const cover = new Map<string, EnvelopePlace>()
      for (let next = first; next < first + count;) {
        const best = furthest[lastAtOrBelow(clocks, next)]
        if (best === undefined || best.end <= next) return undefined
        cover.set(`${String(best.by.chain)}/${String(best.by.sequence)}`, best.by)
        next = best.end
      }
      return [...cover.values()]
    },
    clocksOf: (chain) => (byChain.get(chain) ?? []).map(({ clock, end }) => [clock, end - clock] as const),
  }
}

function reachIn(erasings: readonly Erasing[]): Reach {
  const sorted = [...erasings].sort((a, b) => a.clock - b.clock)
  let best: Erasing | undefined
  const furthest = sorted.map((one) => {
    if (best === undefined || one.end > best.end) best = one
    return best
  })
  return { clocks: sorted.map(({ clock }) => clock), furthest }
}

/** The last of these at or below a clock; -1 for none. */
function lastAtOrBelow(clocks: readonly number[], clock: number): number {
  let low = 0
  let high = clocks.length
  while (low < high) {
    const middle = (low + high) >> 1
    if ((clocks[middle] ?? 0) <= clock) low = middle + 1
    else high = middle
  }
  return low - 1
}
