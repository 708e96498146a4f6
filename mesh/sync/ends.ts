import { SYNC_ENDS_MAX, type DeviceId } from '../base/index.ts'
import type { EnvelopePlace } from './erasings.ts'
import { addStep, furthestOf, furthestTold, rankIn, type Frontier, type Step } from './frontier.ts'
import type { Mark } from './marks.ts'

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
  /** Who brought it and paid for it; not known after a restart, nor of what was written here. */
  readonly via?: DeviceId | undefined
}

/** One end as it is told. */
export interface ToldEnd extends Step {
  readonly chain: number
  /** Its teller got late what it is of. */
  readonly cameLate: boolean
  /** Of the envelope it names; an earlier version says none. */
  readonly mark: Mark | undefined
}

/**
 * What stands in an envelope that tells ends: behind an end, where its teller had that itself, the mark of what it
 * names, as two places of a chain that is nobody's. An earlier version makes nothing of these.
 */
export function endsIn({ at, told }: TellingEnvelope): ToldEnd[] {
  const cameLate = told[0]?.chain === CAME_LATE.chain
  return told.flatMap(({ chain, sequence }, index) => {
    if (chain === CAME_LATE.chain) return []
    // clocks that are centuries ahead end where the others do
    const place = Math.min(at * SYNC_ENDS_MAX + index, UNTOLD_RANK - 1)
    const [first, second] = [told[index + 1], told[index + 2]]
    const isMarked = first?.chain === CAME_LATE.chain && second?.chain === CAME_LATE.chain
    const mark = isMarked ? ([first.sequence, second.sequence] as const) : undefined
    return [{ chain, sequence, rank: cameLate ? LATE_RANK + place : place, cameLate, mark }]
  })
}

/** An end, with its mark behind it: three places of {@link SYNC_ENDS_MAX}. */
export function markedEnd(place: EnvelopePlace, mark: Mark | undefined): EnvelopePlace[] {
  const marked = mark?.map((sequence) => ({ chain: CAME_LATE.chain, sequence })) ?? []
  return [{ chain: place.chain, sequence: place.sequence }, ...marked]
}

/** As many ends go into one envelope with their marks. */
export const MARKED_ENDS_MAX = Math.floor(SYNC_ENDS_MAX / 3)

/** Up to where devices told that they hold chains of authors who may not write any more. */
export interface Ends {
  /** @returns what takes that back; to be called in the reverse order */
  add(envelope: TellingEnvelope): () => void
  /** How far somebody who counts told that the chain goes, also that it came late; 0 where nobody did. */
  toldOf(chain: number, counts: (by: DeviceId) => boolean): number
  /** Who told anything of a chain. */
  tellersOf(chain: number): readonly DeviceId[]
  /** Of each who told of a chain, who paid for the first of it, where that is known. */
  paidOf(chain: number): readonly PaidEnd[]
  /** How far one of them told that it goes; 0 where it did not. */
  toldBy(chain: number, by: DeviceId): number
  /** How far somebody who counts told to have held it before, see {@link CAME_LATE}; 0 where nobody did. */
  heldOf(chain: number, counts: (by: DeviceId) => boolean): number
  /** How far one of them told to have held it before; 0 where it did not. */
  heldBy(chain: number, by: DeviceId): number
  /**
   * When somebody who counts first told that this is there, or what follows it: by the time of the telling,
   * and by its place in there, for who tells says first what came first. What came late to all who told it
   * is behind all else, see {@link LATE_RANK}. Infinite where nobody did.
   */
  rankOf(place: EnvelopePlace, counts: (by: DeviceId) => boolean): number
}

/** An end that was paid for. */
export interface PaidEnd {
  readonly by: DeviceId
  readonly via: DeviceId
}

/** What one device told of a chain. */
interface Teller extends Pick<TellingEnvelope, 'by' | 'via'> {
  readonly frontier: Frontier
}

/** Nobody told anything yet. */
export function createEnds(): Ends {
  const byChain = new Map<number, Teller[]>()

  const addEnd = (
    chain: number,
    { by, via }: Pick<TellingEnvelope, 'by' | 'via'>,
    step: Step,
  ): (() => void) | undefined => {
    const known = byChain.get(chain)?.find((teller) => teller.by === by)
    if (known !== undefined) return addStep(known.frontier, step)
    // as small as can be: most chains are told once
    const teller = { by, via, frontier: [[step]] }
    const others = byChain.get(chain)
    byChain.set(chain, others === undefined ? [teller] : [...others, teller])
    return () => {
      if (others === undefined) byChain.delete(chain)
      else byChain.set(chain, others)
    }
  }

  return {
    add(telling) {
      const undo = endsIn(telling).flatMap(
        ({ chain, sequence, rank }) => addEnd(chain, telling, { sequence, rank }) ?? [],
      )
      return () => {
        for (const takeBack of undo.reverse()) takeBack()
      }
    },
    toldOf(chain, counts) {
      let furthest = 0
      for (const { by, frontier } of byChain.get(chain) ?? []) {
        const sequence = furthestOf(frontier)
        if (sequence > furthest && counts(by)) furthest = sequence
      }
      return furthest
    },
    heldOf(chain, counts) {
      let furthest = 0
      for (const { by, frontier } of byChain.get(chain) ?? []) {
        const sequence = furthestTold(frontier, LATE_RANK)
        if (sequence > furthest && counts(by)) furthest = sequence
      }
      return furthest
    },
    tellersOf: (chain) => (byChain.get(chain) ?? []).map(({ by }) => by),
    paidOf: (chain) => (byChain.get(chain) ?? []).flatMap(({ by, via }) => (via === undefined ? [] : { by, via })),
    toldBy: (chain, by) => furthestOf(byChain.get(chain)?.find((teller) => teller.by === by)?.frontier ?? []),
    heldBy: (chain, by) =>
      furthestTold(byChain.get(chain)?.find((teller) => teller.by === by)?.frontier ?? [], LATE_RANK),
    rankOf({ chain, sequence }, counts) {
      let first = Infinity
      for (const { by, frontier } of byChain.get(chain) ?? []) {
        const rank = rankIn(frontier, sequence)
        if (rank < first && counts(by)) first = rank
      }
      return first
    },
  }
}
