import { SYNC_PROOF_MAX_BYTES, type DeviceId } from '../base/index.ts'
import { isSpent } from './chains.ts'
import { hollow, type Envelope } from './envelope.ts'
import { createGivenProofs, nameOf } from './proofs.ts'
import type { ReplicaState } from './replica-state.ts'

/**
 * Says, of the envelopes of a log in their order, which are to be only a head: those whose entries were all
 * erased, where a device that comes new can be shown so. An author who erases a little by very many large
 * envelopes keeps their boxes on the disk, which count in its own share, rather than have every reader
 * take proofs many times as large as all it ever wrote.
 */
export function createHollowing(state: ReplicaState, log: readonly Envelope[]): (envelope: Envelope) => boolean {
  const proofBytes = new Map<string, number>()
  const allowance = new Map<DeviceId, number>()
  for (const envelope of log) {
    const { chain, head, bytes } = envelope
    allowance.set(head.author, (allowance.get(head.author) ?? 0) + bytes.byteLength)
    if (head.erases.length > 0)
      proofBytes.set(nameOf({ chain, sequence: head.sequence }), hollow(envelope).bytes.byteLength)
  }
  // as somebody is given the whole log
  const given = createGivenProofs()

  return ({ chain, head, box }) => {
    const target = state.chains.get(chain)
    if (target === undefined || !isSpent(target, head.from, head.count)) return false
    const places = state.chains.erasersOf(chain, head.from, head.count) ?? []
    const sizeOf = (some: typeof places): number =>
      some.reduce((sum, place) => sum + (proofBytes.get(nameOf(place)) ?? Infinity), 0)
    const fresh = places.filter((place) => !given.has(place))
    const left = (allowance.get(head.author) ?? 0) - sizeOf(fresh)
    const isProvable = places.length > 0 && sizeOf(places) <= SYNC_PROOF_MAX_BYTES
    // what has no box any more cannot get it back
    if (box !== undefined && (!isProvable || left < 0)) return false
    allowance.set(head.author, left)
    for (const place of fresh) given.note(place, proofBytes.get(nameOf(place)) ?? 0)
    return true
  }
}
