import type { DeviceId } from '../base/index.ts'
import type { Chain } from './chain.ts'
import { endsIn, type Ends, type ToldEnd } from './ends.ts'
import type { EnvelopePlace } from './erasings.ts'
import { addStep, rankIn, type Frontier } from './frontier.ts'

/** Whose word counts, by the rights of now. */
export interface TellerRights {
  mayWrite(by: DeviceId): boolean
  /** True where the person whose device that is, or was, has one that may write. */
  personMayWrite(by: DeviceId): boolean
  /** How far this device had a chain itself while its author might write, where it may say so; else 0. */
  hadHere(chain: Chain): number
}

/**
 * Ends that go on counting though who told them may not write any more: its person stays, the envelope that tells
 * them was had in time by somebody whose word counts, and what they speak of is what was there when they were told,
 * by its mark. The least such set: those who are gone vouch for each other only from somebody who stays. It follows
 * from the envelopes and the rights, in whatever order they came; each end comes to count at most once until rights
 * are others.
 */
export interface LastingEnds {
  /** As `Ends.rankOf`, by these ends alone. */
  rankOf(place: EnvelopePlace, rights: TellerRights): number
  /** A chain has another envelope. */
  took(chain: Chain): void
  /** Rights are others, or something was taken back: all is looked at again when it is asked for next. */
  forget(): void
  /** Chains of which more counts than when this was asked last. */
  takeChanged(): ReadonlySet<number>
}

type Standing = 'writes' | 'replaced' | 'gone'

/** What counts by the rights of some moment. */
interface Counted {
  readonly rights: TellerRights
  readonly standings: Map<DeviceId, Standing>
  /** Up to which envelope the ends count that are told in a chain of who may not write any more. */
  readonly reached: Map<number, number>
  readonly frontiers: Map<number, Frontier>
  /** Ends that count once what they speak of is here: by chain and sequence. */
  readonly awaited: Map<number, Map<number, ToldEnd[]>>
}

/** The lasting ones among ends that are told in these chains. */
export function createLastingEnds(chains: ReadonlyMap<number, Chain>, ends: Pick<Ends, 'heldOf'>): LastingEnds {
  let counted: Counted | undefined
  let changed = new Set<number>()

  const standingOf = ({ standings, rights }: Counted, by: DeviceId): Standing => {
    const known = standings.get(by)
    if (known !== undefined) return known
    const standing = rights.mayWrite(by) ? 'writes' : rights.personMayWrite(by) ? 'replaced' : 'gone'
    standings.set(by, standing)
    return standing
  }

  /** How far somebody whose word counts by itself had a chain. */
  const baseOf = (state: Counted, chain: Chain): number =>
    Math.max(
      ends.heldOf(chain.number, (by) => standingOf(state, by) === 'writes'),
      state.rights.hadHere(chain),
    )

  const wait = ({ awaited }: Counted, end: ToldEnd): void => {
    const ofChain = awaited.get(end.chain) ?? new Map<number, ToldEnd[]>()
    awaited.set(end.chain, ofChain)
    const there = ofChain.get(end.sequence)
    if (there === undefined) ofChain.set(end.sequence, [end])
    else there.push(end)
  }

  /** An end whose envelope counts. @returns true where it does: what it speaks of is here */
  const confirm = (state: Counted, end: ToldEnd): boolean => {
    if (end.mark === undefined || end.cameLate) return false
    const held = chains.get(end.chain)?.marks.at(end.sequence)
    if (held === undefined) {
      wait(state, end)
      return false
    }
    // another branch of the chain, or made up for what was still to be written
    if (held[0] !== end.mark[0] || held[1] !== end.mark[1]) return false
    const frontier = state.frontiers.get(end.chain) ?? []
    state.frontiers.set(end.chain, frontier)
    const { sequence, rank } = end
    if (addStep(frontier, { sequence, rank }) !== undefined) changed.add(end.chain)
    return true
  }

  /** Each of these places was had: what is told in its chain up to there counts, and what that makes count. */
  const reach = (state: Counted, work: EnvelopePlace[]): void => {
    for (let next = work.pop(); next !== undefined; next = work.pop()) {
      const chain = chains.get(next.chain)
      const before = state.reached.get(next.chain) ?? 0
      if (chain === undefined || next.sequence <= before || !isReplaced(state, chain)) continue
      state.reached.set(chain.number, next.sequence)
      for (let at = before + 1; at <= next.sequence && at <= chain.sequence; at++) count(state, chain, at, work)
    }
  }

  const isReplaced = (state: Counted, chain: Chain): boolean =>
    chain.ends.length > 0 && standingOf(state, chain.author) === 'replaced'

  const count = (state: Counted, chain: Chain, sequence: number, work: EnvelopePlace[]): void => {
    for (const end of endsAt(chain, sequence)) if (confirm(state, end)) work.push(end)
  }

  const countAll = (rights: TellerRights): Counted => {
    const state: Counted = {
      ...{ rights, standings: new Map(), reached: new Map(), frontiers: new Map(), awaited: new Map() },
    }
    const work: EnvelopePlace[] = []
    for (const chain of chains.values())
      if (isReplaced(state, chain)) work.push({ chain: chain.number, sequence: baseOf(state, chain) })
    reach(state, work)
    return state
  }

  return {
    rankOf({ chain, sequence }, rights) {
      counted ??= countAll(rights)
      return rankIn(counted.frontiers.get(chain) ?? [], sequence)
    },
    took(chain) {
      if (counted === undefined) return
      const { number, sequence, author } = chain
      const work: EnvelopePlace[] = []
      if (isReplaced(counted, chain)) {
        // what was told of it before it was here
        if (sequence === 1) counted.reached.set(number, baseOf(counted, chain))
        if (sequence <= (counted.reached.get(number) ?? 0)) count(counted, chain, sequence, work)
      } else if (chain.ends.length > 0 && standingOf(counted, author) === 'writes')
        work.push(...endsAt(chain, sequence).filter(({ cameLate }) => !cameLate))
      const awaited = counted.awaited.get(number)
      for (const end of awaited?.get(sequence) ?? []) if (confirm(counted, end)) work.push(end)
      awaited?.delete(sequence)
      if (awaited?.size === 0) counted.awaited.delete(number)
      reach(counted, work)
    },
    forget() {
      counted = undefined
    },
    takeChanged() {
      const taken = changed
      changed = new Set()
      return taken
    },
  }
}

/** What an envelope tells, of a chain in which nothing else stands. */
function endsAt({ ends, endsAt: times, author, sequence: last }: Chain, sequence: number): readonly ToldEnd[] {
  const told = ends[sequence - 1]
  const at = times[sequence - 1]
  return told === undefined || at === undefined || ends.length !== last ? [] : endsIn({ by: author, at, told })
}
