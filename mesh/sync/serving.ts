import { SYNC_BATCH_BYTES, SYNC_BATCH_ENVELOPES } from '../base/index.ts'
import { commonClocks, withClocks } from './clock-ranges.ts'
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
  const envelopes: Uint8Array[] = []
  let sizeBytes = 0
  for (const { sequence: position, bytes } of log) {
    const envelope = readLogEntry(bytes)?.envelope
    if (envelope === undefined || !isNext(state, sent, envelope, position)) continue
    const group = [...(await proofOf(state, envelope, sent, options)), envelope.bytes]
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

/** The envelopes that erased what a hollow one held, as far as the device does not have them. */
async function proofOf(
  state: ReplicaState,
  { box, head, chain }: Envelope,
  sent: ReadonlyMap<number, number>,
  options: Options,
): Promise<Uint8Array[]> {
  if (box !== undefined) return []
  const proof: Uint8Array[] = []
  for (const other of state.chains.all.values()) {
    if (other.author !== head.author) continue
    for (const { sequence, ranges } of other.erasers) {
      const erased = ranges.filter((range) => range.chain === chain).map((range) => [range.clock, range.count] as const)
      if (
        sequence <= (sent.get(other.number) ?? 0) ||
        commonClocks(withClocks([], erased), head.from, head.count).length === 0
      )
        continue
      const position = other.positions[sequence - 1]
      const [entry] = position === undefined ? [] : await state.log.read(position - 1, options)
      const eraser = entry === undefined ? undefined : readLogEntry(entry.bytes)
      if (eraser !== undefined) proof.push(eraser.envelope.bytes)
    }
  }
  return proof
}
