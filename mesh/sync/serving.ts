import { SYNC_BATCH_BYTES, SYNC_BATCH_ENVELOPES } from '../base/index.ts'
import { readLogEntry } from './log-entry.ts'
import type { Options } from './options.ts'
import type { ReplicaState } from './replica-state.ts'
import type { Envelope } from './envelope.ts'

/** Envelopes for another device. */
export interface Batch {
  readonly envelopes: readonly Uint8Array[]
  /** True when there is more to send after these. */
  readonly more: boolean
}

/**
 * The next envelopes of a document that a device does not have, in an order in which
 * it can take them. `sent` is what it has or was sent, and is moved on. Where an
 * envelope is only a head any more, those that erased it go first, as proof.
 */
export async function nextBatch(state: ReplicaState, sent: Map<number, number>, options: Options): Promise<Batch> {
  const start = firstMissing(state, sent)
  if (start === undefined) return { envelopes: [], more: false }
  const log = await state.log.read(start - 1, options)
  // what proves an envelope was not sent either, so it is no earlier in the log than the first that is missing
  const places = new Map(log.map((entry, index) => [entry.sequence, index]))
  const at = (position: number): Uint8Array | undefined => log[places.get(position) ?? -1]?.bytes
  const given: Given = { sent, proven: new Set(), at }
  const envelopes: Uint8Array[] = []
  let sizeBytes = 0
  for (const { sequence: position, bytes } of log) {
    const envelope = readLogEntry(bytes)?.envelope
    if (envelope === undefined || !isNext(state, sent, envelope, position)) continue
    const group = [...proofOf(state, envelope, given), envelope.bytes]
    const groupBytes = group.reduce((sum, one) => sum + one.byteLength, 0)
    const isFull = sizeBytes + groupBytes > SYNC_BATCH_BYTES || envelopes.length + group.length > SYNC_BATCH_ENVELOPES
    if (isFull && envelopes.length > 0) return { envelopes, more: true }
    envelopes.push(...group)
    sizeBytes += groupBytes
    sent.set(envelope.chain, envelope.head.sequence)
  }
  return { envelopes, more: firstMissing(state, sent) !== undefined }
}

/** True when a device that has this much lacks nothing. */
export function isComplete(state: ReplicaState, sent: ReadonlyMap<number, number>): boolean {
  return firstMissing(state, sent) === undefined
}

function firstMissing({ chains }: ReplicaState, sent: ReadonlyMap<number, number>): number | undefined {
  let first: number | undefined
  for (const chain of chains.all.values()) {
    const position = chain.positions[sent.get(chain.number) ?? 0]
    if (position !== undefined && (first === undefined || position < first)) first = position
  }
  return first
}

function isNext(
  { chains }: ReplicaState,
  sent: ReadonlyMap<number, number>,
  { chain, head }: Envelope,
  position: number,
): boolean {
  if (chains.get(chain)?.positions[head.sequence - 1] !== position) return false
  return head.sequence === (sent.get(chain) ?? 0) + 1
}

/** The envelopes that erased what a hollow one held, as far as the device does not have them: each once in a batch. */
function proofOf(state: ReplicaState, { box, head, chain }: Envelope, given: Given): Uint8Array[] {
  if (box !== undefined) return []
  return state.chains.erasersOf(chain, head.from, head.count).flatMap((eraser) => {
    const position = state.chains.get(eraser.chain)?.positions[eraser.sequence - 1]
    if (position === undefined || given.proven.has(position)) return []
    if (eraser.sequence <= (given.sent.get(eraser.chain) ?? 0)) return []
    given.proven.add(position)
    const bytes = given.at(position)
    const erasing = bytes === undefined ? undefined : readLogEntry(bytes)
    return erasing === undefined ? [] : [erasing.envelope.bytes]
  })
}

/** What the device has or was sent, and what of this batch is in it already. */
interface Given {
  readonly sent: ReadonlyMap<number, number>
  /** Places in the log of what was put in as proof. */
  readonly proven: Set<number>
  /** The entry of the log at a place. */
  at(position: number): Uint8Array | undefined
}
