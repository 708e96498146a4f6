import { SYNC_ENDS_MAX, type DeviceId } from '../base/index.ts'
import type { EnvelopePlace } from './erasings.ts'
import { addStep, furthestOf, rankIn, type Frontier, type Step } from './frontier.ts'

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
  /** How far somebody who counts told that the chain goes; 0 where nobody did. */
  toldOf(chain: number, counts: (by: DeviceId) => boolean): number
  /**
   * When somebody who counts first told that this is there, or what follows it: by the time of the telling,
   * and by its place in there, for who tells says first what came first. Infinite where nobody did.
   */
  rankOf(place: EnvelopePlace, counts: (by: DeviceId) => boolean): number
}

/** What one device told of a chain. */
interface Teller {
  readonly by: DeviceId
  readonly frontier: Frontier
}

/** Nobody told anything yet. */
export function createEnds(): Ends {
  const byChain = new Map<number, Teller[]>()

  const addEnd = (chain: number, by: DeviceId, step: Step): (() => void) | undefined => {
    const tellers = byChain.get(chain) ?? []
    const known = tellers.find((teller) => teller.by === by)
    const teller = known ?? { by, frontier: [] }
    const undo = addStep(teller.frontier, step)
    if (undo === undefined) return undefined
    if (known === undefined) byChain.set(chain, [...tellers, teller])
    return () => {
      undo()
      if (teller.frontier.length > 0) return
      const others = (byChain.get(chain) ?? []).filter((one) => one !== teller)
      if (others.length > 0) byChain.set(chain, others)
      else byChain.delete(chain)
    }
  }

  return {
    add({ by, at, told }) {
      const undo = told.flatMap(
        ({ chain, sequence }, index) => addEnd(chain, by, { sequence, rank: at * SYNC_ENDS_MAX + index }) ?? [],
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
