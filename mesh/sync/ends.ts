import { SYNC_ENDS_MAX, type DeviceId } from '../base/index.ts'
import type { EnvelopePlace } from './erasings.ts'

/**
 * In front of ends of what came to their teller late: no chain has this number, and an earlier version
 * makes nothing of it.
 */
export const CAME_LATE: EnvelopePlace = { chain: 0, sequence: 1 }

/** The ranks of what its tellers had got late begin here: behind all that somebody had held before. */
export const LATE_RANK = 2 ** 52

/** The rank of what is held, and not told yet. */
export const UNTOLD_RANK = LATE_RANK - 1

/** Ends that one envelope tells. */
export interface TellingEnvelope {
  readonly by: DeviceId
  /** By the teller's clock, ms since 1970. */
  readonly at: number
  readonly told: readonly EnvelopePlace[]
}

/** Up to where devices told that they hold chains of authors who may not write any more. */
export interface Ends {
  /** @returns what takes that back; to be called in the reverse order */
  add(envelope: TellingEnvelope): () => void
  /** How far somebody who counts told that the chain goes, also that it came late; 0 where nobody did. */
  toldOf(chain: number, counts: (by: DeviceId) => boolean): number
  /** How far somebody who counts told to have held the chain before; 0 where nobody did. */
  heldOf(chain: number, counts: (by: DeviceId) => boolean): number
  /**
   * When somebody who counts first told that this is there, or what follows it: by the time of the telling,
   * and by its place in there, for who tells says first what came first. What came late to all who told it
   * is behind all else, see {@link LATE_RANK}. Infinite where nobody did.
   */
  rankOf(place: EnvelopePlace, counts: (by: DeviceId) => boolean): number
}

interface Step {
  readonly sequence: number
  readonly rank: number
}

/** Nobody told anything yet. */
export function createEnds(): Ends {
  /** By chain and teller, with what goes further than others and was told later: both grow. */
  const byChain = new Map<number, Map<DeviceId, Step[]>>()

  const addStep = (chain: number, by: DeviceId, step: Step): (() => void) | undefined => {
    const tellers = byChain.get(chain) ?? new Map<DeviceId, Step[]>()
    const steps = tellers.get(by) ?? []
    const end = firstAt(steps, step.sequence)
    if ((steps[end]?.rank ?? Infinity) <= step.rank) return undefined
    let start = end
    while (start > 0 && (steps[start - 1]?.rank ?? 0) >= step.rank) start -= 1
    // what goes as far is told earlier now
    const gone = steps.splice(start, end - start + Number(steps[end]?.sequence === step.sequence), step)
    byChain.set(chain, tellers.set(by, steps))
    return () => {
      steps.splice(start, 1, ...gone)
      if (steps.length === 0) tellers.delete(by)
      if (tellers.size === 0) byChain.delete(chain)
    }
  }

  return {
    add({ by, at, told }) {
      const cameLate = told[0]?.chain === CAME_LATE.chain
      const undo = told.flatMap(({ chain, sequence }, index) => {
        // clocks that are centuries ahead end where the others do
        const place = Math.min(at * SYNC_ENDS_MAX + index, UNTOLD_RANK - 1)
        if (chain === CAME_LATE.chain) return []
        return addStep(chain, by, { sequence, rank: cameLate ? LATE_RANK + place : place }) ?? []
      })
      return () => {
        for (const takeBack of undo.reverse()) takeBack()
      }
    },
    toldOf(chain, counts) {
      let furthest = 0
      for (const [by, steps] of byChain.get(chain) ?? []) {
        const { sequence } = steps.at(-1) ?? { sequence: 0 }
        if (sequence > furthest && counts(by)) furthest = sequence
      }
      return furthest
    },
    heldOf(chain, counts) {
      let furthest = 0
      for (const [by, steps] of byChain.get(chain) ?? []) {
        const { sequence } = steps[firstLate(steps) - 1] ?? { sequence: 0 }
        if (sequence > furthest && counts(by)) furthest = sequence
      }
      return furthest
    },
    rankOf({ chain, sequence }, counts) {
      let first = Infinity
      for (const [by, steps] of byChain.get(chain) ?? []) {
        const rank = steps[firstAt(steps, sequence)]?.rank ?? Infinity
        if (rank < first && counts(by)) first = rank
      }
      return first
    },
  }
}

/** Where the first is that goes so far. */
function firstAt(steps: readonly Step[], sequence: number): number {
  let low = 0
  let high = steps.length
  while (low < high) {
    const middle = (low + high) >> 1
    if ((steps[middle]?.sequence ?? 0) < sequence) low = middle + 1
    else high = middle
  }
  return low
}

/** Where the first is that came late to its teller. */
function firstLate(steps: readonly Step[]): number {
  let low = 0
  let high = steps.length
  while (low < high) {
    const middle = (low + high) >> 1
    if ((steps[middle]?.rank ?? 0) < LATE_RANK) low = middle + 1
    else high = middle
  }
  return low
}
