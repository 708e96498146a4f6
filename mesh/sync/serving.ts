import { SYNC_BATCH_BYTES, SYNC_BATCH_ENVELOPES } from '../base/index.ts'
import { tellsEnds } from './chains.ts'
import type { Vector } from './document.ts'
import type { Envelope } from './envelope.ts'
import { isAnyMissing, missingEnvelopes } from './missing.ts'
import type { Options } from './options.ts'
import { createGivenProofs, proofOf, type GivenProofs } from './proofs.ts'
import type { ReplicaState } from './replica-state.ts'

/** Envelopes for another device: what one frame may hold, whatever they are. */
export interface Batch {
  readonly envelopes: readonly Uint8Array[]
  /** True when there is more to send after these. */
  readonly more: boolean
}

/** What giving a document to another device has come to. */
export interface Progress {
  /** What it has or was sent. */
  readonly sent: Map<number, number>
  readonly proofs: GivenProofs
  /** Chains that cannot be given further from here, or that the device said not to take. */
  readonly ended: Set<number>
  /** Whether it knows envelopes that tell ends; an earlier version does not. */
  readonly takesEnds: boolean
}

/** Where giving begins: with what the device has. */
export function createProgress(
  has: Vector | Iterable<readonly [chain: number, sequence: number]>,
  {
    without = [],
    takesEnds = true,
  }: { readonly without?: Iterable<number> | undefined; readonly takesEnds?: boolean } = {},
): Progress {
  return { sent: new Map(has), proofs: createGivenProofs(), ended: new Set(without), takesEnds }
}

/**
 * The next envelopes of a document that a device does not have, in an order in which
 * it can take them. What it was sent is moved on. Where an envelope is only a head any
 * more, those that erased it go first, as proof: without their boxes, as few as are
 * needed, in as many frames as they take. In the document's turn.
 */
export async function nextBatch(state: ReplicaState, progress: Progress, options: Options): Promise<Batch> {
  const batch = createBatch()
  const lastOf = lastOfIn(state, progress)
  for await (const envelope of missingEnvelopes(state, lastOf, options)) {
    const { chain, head } = envelope
    // one before it could not be given
    if (head.sequence !== (lastOf(chain) ?? -1) + 1) continue
    const isProven = envelope.box !== undefined || (await prove(state, envelope, { batch, progress }, options))
    if (batch.isFull()) return { envelopes: batch.envelopes, more: true }
    if (!isProven) progress.ended.add(chain)
    else if (batch.add(envelope.bytes)) progress.sent.set(chain, head.sequence)
    else return { envelopes: batch.envelopes, more: true }
  }
  return { envelopes: batch.envelopes, more: false }
}

/** True when a device that has this much lacks nothing that can be given. */
export function isComplete(state: ReplicaState, progress: Progress): boolean {
  return !isAnyMissing(state, lastOfIn(state, progress))
}

function lastOfIn(
  { chains }: ReplicaState,
  { sent, ended, takesEnds }: Progress,
): (chain: number) => number | undefined {
  return (chain) => {
    if (ended.has(chain) || (!takesEnds && tellsEnds(chains.get(chain)))) return undefined
    return sent.get(chain) ?? 0
  }
}

/**
 * Sends what proves that all of an envelope was erased, as far as the device has not got it waiting.
 * @returns false when that cannot be proven. A batch that is full meanwhile is to be sent first
 */
async function prove(
  state: ReplicaState,
  { chain, head }: Envelope,
  { batch, progress }: { readonly batch: OpenBatch; readonly progress: Progress },
  options: Options,
): Promise<boolean> {
  const proofs = await proofOf(state, { chain, from: head.from, count: head.count }, options)
  if (proofs === undefined) return false
  const lacks = (): typeof proofs => proofs.filter(({ place }) => !progress.proofs.has(place))
  // what is given may push out what was given long before: it is given again, until all is there
  for (let lacking = lacks(); lacking.length > 0; lacking = lacks()) {
    for (const { place, bytes } of lacking) {
      if (!batch.add(bytes)) return true
      progress.proofs.note(place, bytes.byteLength)
    }
  }
  return true
}

/** A frame that is being filled. */
interface OpenBatch {
  readonly envelopes: readonly Uint8Array[]
  /** False when there is no room for it; a single one always has room. */
  add(bytes: Uint8Array): boolean
  /** True once something found no room. */
  isFull(): boolean
}

function createBatch(): OpenBatch {
  const envelopes: Uint8Array[] = []
  let sizeBytes = 0
  let full = false
  return {
    envelopes,
    add(bytes) {
      const fits = sizeBytes + bytes.byteLength <= SYNC_BATCH_BYTES && envelopes.length < SYNC_BATCH_ENVELOPES
      full ||= envelopes.length > 0 && !fits
      if (full) return false
      envelopes.push(bytes)
      sizeBytes += bytes.byteLength
      return true
    },
    isFull: () => full,
  }
}
