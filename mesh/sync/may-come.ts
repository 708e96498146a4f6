import { SYNC_ENDS_IN_ORDER_MAX, type DeviceId } from '../base/index.ts'
import type { Chain } from './chain.ts'
import type { Chains } from './chains.ts'
import type { DocumentName, Timing } from './document.ts'
import type { Envelope } from './envelope.ts'
import { LATE_RANK, UNTOLD_RANK } from './ends.ts'
import type { EnvelopePlace } from './erasings.ts'
import type { TellerRights } from './lasting-ends.ts'
import type { SyncPorts } from './ports.ts'
import type { Quarantines } from './quarantines.ts'

/** What it is judged by. */
export interface Judged {
  readonly name: DocumentName
  readonly chains: Chains
  readonly ports: Pick<SyncPorts, 'writers' | 'signer'>
}

/**
 * Whether an author's envelope is taken from this sender: it may write, or it could once and somebody
 * else who belongs here kept it. Of one that could once, what somebody who may write told to hold is taken
 * without more ado; the rest is `late`, and of that there is an end.
 */
export function mayCome({ head, chain }: Envelope, via: DeviceId, state: Judged): 'freely' | 'late' | 'not' {
  const { writers, signer } = state.ports
  const { scope } = state.name
  if (writers.mayWrite(head.author, scope)) return 'freely'
  if (via === head.author || writers.mayHaveWritten?.(head.author, scope, head.epoch) !== true) return 'not'
  if (via !== signer.id && !writers.mayRead(via, scope) && !writers.mayStore(via, scope)) return 'not'
  return isEndTold({ chain, sequence: head.sequence }, state) ? 'freely' : 'late'
}

/**
 * True when a device that may write told that it holds this, or what follows it. What one told that may
 * not write any more counts for nothing: two that were removed would vouch for each other for ever.
 * Nor does a lasting end, see `LastingEnds`: it counts only once what it names is here.
 */
export function isEndTold({ chain, sequence }: EnvelopePlace, state: Judged): boolean {
  return state.chains.ends.toldOf(chain, countsIn(state)) >= sequence
}

/**
 * When somebody whose word counts first told that this is there, see `Ends.rankOf`. What this device holds of
 * before and is about to tell goes before all that came late.
 */
export function rankOf(place: EnvelopePlace, state: Judged): number {
  const told = toldRankOf(place, state)
  return told > UNTOLD_RANK && isVouchedHere(place, state) ? UNTOLD_RANK : told
}

/** By who may write, and by the lasting word of those who were replaced. */
function toldRankOf(place: EnvelopePlace, state: Judged): number {
  const { ends, lastingEnds } = state.chains
  return Math.min(ends.rankOf(place, countsIn(state)), lastingEnds.rankOf(place, rightsIn(state)))
}

function rightsIn(state: Judged): TellerRights {
  const { writers } = state.ports
  const { scope } = state.name
  return {
    mayWrite: countsIn(state),
    personMayWrite: (by) => writers.personMayWrite?.(by, scope) ?? false,
    hadHere: (chain) => (isTelling(chain, state) ? heldBefore(chain) : 0),
  }
}

/**
 * How sure it is that something was written while its author might: `before` where the author may write, or
 * this device had it when it heard that it may not; `told` where another one says so of itself, see {@link rankOf};
 * else `late`.
 * But for how long it takes to tell, what is late is so on all devices that hold the same.
 */
export function timingOf(place: EnvelopePlace, state: Judged): Timing {
  const author = state.chains.get(place.chain)?.author
  if (author === undefined || state.ports.writers.mayWrite(author, state.name.scope)) return 'before'
  if (isVouchedHere(place, state)) return 'before'
  return toldRankOf(place, state) < LATE_RANK ? 'told' : 'late'
}

/**
 * True for what this device tells to have held, or is about to. Not for what it took on another's word: that would
 * be its own when the other is gone, and where it came before that word it would not.
 */
function isVouchedHere({ chain: number, sequence }: EnvelopePlace, state: Judged): boolean {
  const chain = state.chains.get(number)
  return chain !== undefined && sequence <= heldBefore(chain) && isTelling(chain, state)
}

/** True where this device is one to say how far it had a chain: its author may not write any more. */
function isTelling({ author }: Chain, { ports: { writers, signer }, name: { scope } }: Judged): boolean {
  return !writers.mayWrite(author, scope) && writers.mayWrite(signer.id, scope)
}

/** How far a chain was held while its author might write. */
function heldBefore({ sequence, lateFrom }: Chain): number {
  return lateFrom === undefined ? sequence : lateFrom - 1
}

function countsIn({ name, ports: { writers } }: Judged): (by: DeviceId) => boolean {
  return (by) => writers.mayWrite(by, name.scope)
}

/** What this device tells by. */
type Telling = Judged & { readonly key: string; readonly quarantines: Quarantines }

/** True where there is something to tell, see {@link untoldEnds}. */
export function hasUntoldEnds(state: Telling): boolean {
  return !untoldParts(state).next().done
}

/** Ends that are to be told. */
export interface UntoldEnds {
  /** Of what was held while its author might write. */
  readonly held: readonly EnvelopePlace[]
  /** Of what came later, on another's word or not. */
  readonly late: readonly EnvelopePlace[]
}

/**
 * The ends of chains that this device holds, of authors who may not write any more, and that were not told enough
 * yet, see {@link toldEnough}. Of each author in the order in which they came here, for what was told first counts,
 * of several things under one id: a chain is named again where others of its author came in between. Beyond
 * {@link SYNC_ENDS_IN_ORDER_MAX} only its end is: who holds a stolen device makes no more of it than that,
 * and what its owner wrote came before. What came late is told apart, and as such: an end that says so takes
 * nothing from who held more.
 */
export function untoldEnds(state: Telling): UntoldEnds {
  const held = new Map<DeviceId, Arrived[]>()
  const late = new Map<DeviceId, Arrived[]>()
  for (const { chain, from, through, cameLate } of untoldParts(state)) {
    const byAuthor = cameLate ? late : held
    const arrived = byAuthor.get(chain.author) ?? []
    byAuthor.set(chain.author, arrived)
    for (let sequence = from; sequence <= through; sequence++)
      arrived.push({ chain: chain.number, sequence, position: chain.positions[sequence - 1] ?? 0 })
  }
  const inOrder = (all: typeof held): EnvelopePlace[] => [...all.values()].flatMap(endsInOrder)
  return { held: inOrder(held), late: inOrder(late) }
}

interface Arrived extends EnvelopePlace {
  readonly position: number
}

function endsInOrder(arrived: Arrived[]): EnvelopePlace[] {
  arrived.sort((a, b) => a.position - b.position)
  const runs = arrived.filter(({ chain }, index) => arrived[index + 1]?.chain !== chain)
  const last = new Map(runs.map(({ chain, sequence }) => [chain, sequence]))
  return runs
    .filter(({ chain, sequence }, index) => index < SYNC_ENDS_IN_ORDER_MAX || last.get(chain) === sequence)
    .map(({ chain, sequence }) => ({ chain, sequence }))
}

/** A stretch of a chain that nobody told. */
interface UntoldPart {
  readonly chain: Chain
  readonly from: number
  readonly through: number
  readonly cameLate: boolean
}

function* untoldParts(state: Telling): Generator<UntoldPart> {
  const mayWrite = new Map<DeviceId, boolean>()
  const counts = countsIn(state)
  // what one told that is stopped here it may have told nobody else
  const spares = (by: DeviceId): boolean => counts(by) && !state.quarantines.has(state.key, by)
  for (const chain of state.chains.all.values()) {
    const { author, number, sequence } = chain
    const may = mayWrite.get(author) ?? counts(author)
    mayWrite.set(author, may)
    if (may) continue
    const { ends } = state.chains
    const held = heldBefore(chain)
    // that it came late to others says nothing of what this device had before
    const from = toldEnough(number, ends.heldBy, spares, state) + 1
    if (from <= held) yield { chain, from, through: held, cameLate: false }
    const lateFrom = Math.max(held, toldEnough(number, ends.toldBy, spares, state)) + 1
    if (lateFrom <= sequence) yield { chain, from: lateFrom, through: sequence, cameLate: true }
  }
}

/**
 * How far a chain was told, so that this device need not: by one of its own person, or of two others. One person
 * alone, who breaks rules, may have told it to this device and to no other, and nobody else would tell those.
 */
function toldEnough(
  chain: number,
  toldBy: (chain: number, by: DeviceId) => number,
  counts: (by: DeviceId) => boolean,
  { chains: { ends }, ports }: Judged,
): number {
  const personOf = (device: DeviceId): string => ports.writers.personOf?.(device) ?? device
  const byPerson = new Map<string, number>()
  for (const by of ends.tellersOf(chain)) {
    const person = personOf(by)
    if (counts(by)) byPerson.set(person, Math.max(byPerson.get(person) ?? 0, toldBy(chain, by)))
  }
  const self = personOf(ports.signer.id)
  const own = byPerson.get(self) ?? 0
  byPerson.delete(self)
  const [, second = 0] = [...byPerson.values()].sort((a, b) => b - a)
  return Math.max(own, second)
}
