import {
  isMeshError,
  SYNC_REWRITE_ENVELOPES,
  SYNC_REWRITE_PAUSE_MS,
  SYNC_SNAPSHOT_BYTES,
  SYNC_SNAPSHOT_ENVELOPES,
  SYNC_SNAPSHOT_PAUSE_MS,
} from '../base/index.ts'
import type { SavedPart } from './document-log.ts'
import { hollow, type Envelope } from './envelope.ts'
import { createHollowing } from './hollowing.ts'
import { logEntry, readLogEntry } from './log-entry.ts'
import { NO_GROWTH } from './log-growth.ts'
import { mendIfDamaged } from './mending.ts'
import type { Options } from './options.ts'
import type { ReplicaState } from './replica-state.ts'
import { sealSnapshot } from './snapshots.ts'

/** True when the log has grown enough since its last snapshot that opening the document would take longer for it. */
export function isSnapshotDue({ grown, snapshotBytes, indexBytes, snapshotAt, ports }: ReplicaState): boolean {
  const sizeBytes = snapshotBytes + indexBytes
  if (grown.bytes >= enoughBytes(sizeBytes)) return true
  const enough = Math.max(SYNC_SNAPSHOT_ENVELOPES, sizeBytes / SNAPSHOT_BYTES_PER_ENVELOPE)
  if (grown.envelopes < enough) return false
  // small envelopes are cheap to send: a large document is not written for them again and again
  return sizeBytes < SYNC_SNAPSHOT_BYTES || ports.clock.monotonic() - snapshotAt >= SYNC_SNAPSHOT_PAUSE_MS
}

/** Of a snapshot, for each envelope that is to come before the next: writing it stays in proportion to what it spares. */
const SNAPSHOT_BYTES_PER_ENVELOPE = 16 * 1024

/** True when the log holds what was erased, and has grown enough since it was last written anew. */
export function isRewriteDue({ unforgotten, snapshotBytes, rewrittenAt, ports }: ReplicaState): boolean {
  if (unforgotten.erasing === 0) return false
  // the whole log is written: nobody has that done again and again by erasing a little
  if (ports.clock.monotonic() - rewrittenAt < SYNC_REWRITE_PAUSE_MS) return false
  return unforgotten.envelopes >= SYNC_REWRITE_ENVELOPES || unforgotten.bytes >= enoughBytes(snapshotBytes)
}

/** Of a large document half of what it was, so that the whole is not written anew for every megabyte. */
function enoughBytes(snapshotBytes: number): number {
  return Math.max(SYNC_SNAPSHOT_BYTES, snapshotBytes / 2)
}

/**
 * Writes snapshots of heads and content, so that opening reads little. They take
 * effect after they were read back. In the document's turn.
 * @throws MeshError `storage-full`, `storage-failed`; what was in force stays so
 */
export async function saveSnapshot(state: ReplicaState, options: Options): Promise<void> {
  const { index, content } = await partsNow(state, options)
  // what is stranded is found by reading the log
  const parts = { ...(state.stranded.length > 0 ? {} : { index }), ...(content === undefined ? {} : { content }) }
  await state.log.save(parts, state.unforgotten, options)
  state.grown = NO_GROWTH
}

/**
 * As {@link saveSnapshot}, and, when something was erased, a log in which erased
 * envelopes are only their heads, see {@link createHollowing}. It takes effect after it was read back.
 */
export async function compact(state: ReplicaState, options: Options): Promise<void> {
  if (state.unforgotten.erasing === 0) {
    await saveSnapshot(state, options)
    return
  }
  await rewrite(state, options)
  state.grown = NO_GROWTH
  state.unforgotten = NO_GROWTH
  state.rewrittenAt = state.ports.clock.monotonic()
}

async function partsNow(state: ReplicaState, options: Options): Promise<{ index: SavedPart; content?: SavedPart }> {
  const through = state.lastPosition
  const index = { through, bytes: state.chains.save() }
  const content = await contentNow(state, options)
  state.indexBytes = index.bytes.byteLength
  state.snapshotAt = state.ports.clock.monotonic()
  state.snapshotBytes = content?.byteLength ?? state.snapshotBytes
  return content === undefined ? { index } : { index, content: { through, bytes: content } }
}

async function contentNow(state: ReplicaState, options: Options): Promise<Uint8Array | undefined> {
  const { content, ports, name } = state
  if (content === undefined) return undefined
  try {
    const epoch = await ports.keyring.current(name.scope, options)
    return await sealSnapshot(name, content.save(), epoch, ports, options)
  } catch (error) {
    // a reader that was removed keeps what it had, as it had it
    if (isMeshError(error, 'unauthorized')) return undefined
    throw error
  }
}

async function rewrite(state: ReplicaState, options: Options): Promise<void> {
  const { log } = state
  const kept: Uint8Array[] = []
  const places = new Map<number, number[]>()
  /** Where what an old snapshot covered ends in the new log. */
  const movedTo = new Map<number, number>()
  const entries = await log.read(0, options)
  await mendIfDamaged(state, options)
  const strandedAt = new Set(state.stranded.map(({ position }) => position))
  const all = entries.map(({ sequence: position, bytes }) => {
    const logged = bytes === undefined ? undefined : readLogEntry(bytes)
    const isKept = logged !== undefined && (strandedAt.has(position) || isInForce(state, logged.envelope, position))
    return { position, logged: isKept ? logged : undefined }
  })
  const isHollow = createHollowing(
    state,
    all.flatMap(({ logged }) => logged?.envelope ?? []),
  )
  for (const { position, logged } of all) {
    if (logged !== undefined) {
      const { envelope } = logged
      kept.push(logEntry(isHollow(envelope) ? { ...logged, envelope: hollow(envelope) } : logged))
      if (!strandedAt.has(position)) {
        const own = places.get(envelope.chain) ?? []
        own.push(kept.length)
        places.set(envelope.chain, own)
      }
    }
    movedTo.set(position, kept.length)
  }
  const undo = move(state, places, kept.length)
  try {
    const { index, ...parts } = await partsNow(state, options)
    const old = parts.content === undefined ? await log.part('content', options) : undefined
    const carried = old === undefined ? {} : { content: { ...old, through: movedTo.get(old.through) ?? 0 } }
    const heads = strandedAt.size > 0 ? {} : { index }
    await log.rewrite(kept, { ...carried, ...parts, ...heads }, options)
    state.stranded = state.stranded.map((one) => ({ ...one, position: movedTo.get(one.position) ?? 0 }))
  } catch (error) {
    undo()
    throw error
  }
}

/** False for what a torn write left twice or without what follows. */
function isInForce({ chains }: ReplicaState, { chain, head }: Envelope, position: number): boolean {
  return chains.get(chain)?.positions[head.sequence - 1] === position
}

/** The places of the new log, and what puts the old ones back. */
function move(state: ReplicaState, places: ReadonlyMap<number, readonly number[]>, last: number): () => void {
  const before = { last: state.lastPosition, places: new Map<number, number[]>() }
  const put = (all: ReadonlyMap<number, readonly number[]>, to: number): void => {
    for (const [number, list] of all) {
      const chain = state.chains.get(number)
      if (chain !== undefined) chain.positions = [...list]
    }
    state.lastPosition = to
  }
  for (const number of places.keys()) before.places.set(number, [...(state.chains.get(number)?.positions ?? [])])
  put(places, last)
  return () => {
    put(before.places, before.last)
  }
}
