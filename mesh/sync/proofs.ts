import { SYNC_PROOF_MAX_BYTES } from '../base/index.ts'
import { hollow } from './envelope.ts'
import type { EnvelopePlace } from './erasings.ts'
import { readLogEntry } from './log-entry.ts'
import type { Options } from './options.ts'
import type { ReplicaState } from './replica-state.ts'

/** An envelope that erases, without its box: its signature is all that proves what it says. */
export interface Proof {
  readonly place: EnvelopePlace
  readonly bytes: Uint8Array
}

/**
 * The proofs a device was given lately, which it still has waiting: as many as it surely
 * lets an author have wait there. What it was given before is given again when it is needed.
 */
export interface GivenProofs {
  has(place: EnvelopePlace): boolean
  note(place: EnvelopePlace, sizeBytes: number): void
}

/** Nothing was given yet. */
export function createGivenProofs(): GivenProofs {
  const given = new Map<string, number>()
  let sizeBytes = 0
  const forget = (name: string): void => {
    sizeBytes -= given.get(name) ?? 0
    given.delete(name)
  }
  return {
    has: (place) => given.has(nameOf(place)),
    note(place, bytes) {
      const name = nameOf(place)
      forget(name)
      given.set(name, bytes)
      sizeBytes += bytes
      for (const oldest of given.keys()) {
        if (sizeBytes <= SYNC_PROOF_MAX_BYTES) return
        forget(oldest)
      }
    },
  }
}

/** The name of a place in maps. */
export function nameOf({ chain, sequence }: EnvelopePlace): string {
  return `${String(chain)}/${String(sequence)}`
}

/**
 * What proves that these clocks of a chain were erased; undefined when nothing does, or only more than a
 * device lets wait.
 */
export async function proofOf(
  state: ReplicaState,
  { chain, from, count }: { readonly chain: number; readonly from: number; readonly count: number },
  options: Options,
): Promise<readonly Proof[] | undefined> {
  const proofs: Proof[] = []
  let sizeBytes = 0
  for (const place of state.chains.erasersOf(chain, from, count) ?? []) {
    const position = state.chains.get(place.chain)?.positions[place.sequence - 1]
    if (position === undefined) return undefined
    const [entry] = await state.log.read(position - 1, { ...options, through: position })
    const envelope = entry?.bytes === undefined ? undefined : readLogEntry(entry.bytes)?.envelope
    if (envelope === undefined) return undefined
    const { bytes } = hollow(envelope)
    sizeBytes += bytes.byteLength
    if (sizeBytes > SYNC_PROOF_MAX_BYTES) return undefined
    proofs.push({ place, bytes })
  }
  return proofs.length === 0 ? undefined : proofs
}
