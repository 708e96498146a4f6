import type { DeviceId } from '../base/index.ts'
import type { Chains } from './chains.ts'
import type { DocumentName } from './document.ts'
import type { Envelope } from './envelope.ts'
import type { EnvelopePlace } from './erasings.ts'
import type { SyncPorts } from './ports.ts'

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
export function isEndTold(place: EnvelopePlace, { chains, name, ports: { writers } }: Judged): boolean {
  return chains.isTold(place, (by) => writers.mayWrite(by, name.scope))
}

/** The ends of chains that this device holds, of authors who may not write any more, and that nobody told yet. */
export function untoldEnds(state: Judged): EnvelopePlace[] {
  const { chains, name, ports } = state
  const mayWrite = new Map<DeviceId, boolean>()
  const ends: EnvelopePlace[] = []
  for (const { number: chain, author, sequence } of chains.all.values()) {
    const may = mayWrite.get(author) ?? ports.writers.mayWrite(author, name.scope)
    mayWrite.set(author, may)
    if (!may && !isEndTold({ chain, sequence }, state)) ends.push({ chain, sequence })
  }
  return ends
}
