import { SYNC_ENDS_IN_ORDER_MAX, type DeviceId } from '../base/index.ts'
import type { Chain, Chains } from './chains.ts'
import type { DocumentName } from './document.ts'
import type { Envelope } from './envelope.ts'
import type { EnvelopePlace } from './erasings.ts'
import type { SyncPorts } from './ports.ts'
import type { ReplicaState } from './replica-state.ts'

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
 */
export function isEndTold({ chain, sequence }: EnvelopePlace, state: Judged): boolean {
  return state.chains.ends.toldOf(chain, countsIn(state)) >= sequence
}

/** When a device that may write first told that this is there, see `Ends.rankOf`. */
export function rankOf(place: EnvelopePlace, state: Judged): number {
  return state.chains.ends.rankOf(place, countsIn(state))
}

function countsIn({ name, ports: { writers } }: Judged): (by: DeviceId) => boolean {
  return (by) => writers.mayWrite(by, name.scope)
}

/** What this device tells by. */
type Telling = Judged & Pick<ReplicaState, 'key' | 'quarantines'>

/** True where there is something to tell, see {@link untoldEnds}. */
export function hasUntoldEnds(state: Telling): boolean {
  return !untoldChains(state).next().done
}

/**
 * The ends of chains that this device holds, of authors who may not write any more, and that were not told enough
 * yet, see {@link toldEnough}. Of each author in the order in which they came here, for what was told first counts,
 * of several things under one id: a chain is named again where others of its author came in between. Beyond
 * {@link SYNC_ENDS_IN_ORDER_MAX} only its end is: who holds a stolen device makes no more of it than that,
 * and what its owner wrote came before.
 */
export function untoldEnds(state: Telling): EnvelopePlace[] {
  const byAuthor = new Map<DeviceId, Arrived[]>()
  for (const { chain, told } of untoldChains(state)) {
    const arrived = byAuthor.get(chain.author) ?? []
    byAuthor.set(chain.author, arrived)
    for (let sequence = told + 1; sequence <= chain.sequence; sequence++)
      arrived.push({ chain: chain.number, sequence, position: chain.positions[sequence - 1] ?? 0 })
  }
  return [...byAuthor.values()].flatMap(endsInOrder)
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

function* untoldChains(state: Telling): Generator<{ readonly chain: Chain; readonly told: number }> {
  const mayWrite = new Map<DeviceId, boolean>()
  const counts = countsIn(state)
  // what one told that is stopped here it may have told nobody else
  const spares = (by: DeviceId): boolean => counts(by) && !state.quarantines.has(state.key, by)
  for (const chain of state.chains.all.values()) {
    const { author, number, sequence } = chain
    const may = mayWrite.get(author) ?? counts(author)
    mayWrite.set(author, may)
    const told = may ? sequence : toldEnough(number, spares, state)
    if (told < sequence) yield { chain, told }
  }
}

/**
 * How far a chain was told, so that this device need not: by one of its own person, or of two others. One person
 * alone, who breaks rules, may have told it to this device and to no other, and nobody else would tell those.
 */
function toldEnough(chain: number, counts: (by: DeviceId) => boolean, { chains: { ends }, ports }: Judged): number {
  const personOf = (device: DeviceId): string => ports.writers.personOf?.(device) ?? device
  const byPerson = new Map<string, number>()
  for (const by of ends.tellersOf(chain)) {
    const person = personOf(by)
    if (counts(by)) byPerson.set(person, Math.max(byPerson.get(person) ?? 0, ends.toldBy(chain, by)))
  }
  const self = personOf(ports.signer.id)
  const own = byPerson.get(self) ?? 0
  byPerson.delete(self)
  const [, second = 0] = [...byPerson.values()].sort((a, b) => b - a)
  return Math.max(own, second)
}
