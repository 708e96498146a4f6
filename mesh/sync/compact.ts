import { isMeshError, SYNC_COMPACT_BYTES, SYNC_COMPACT_ENVELOPES } from '../base/index.ts'
import { isSpent } from './chains.ts'
import type { SavedPart } from './document-log.ts'
import { hollow, type Envelope } from './envelope.ts'
import { logEntry, readLogEntry } from './log-entry.ts'
import type { Options } from './options.ts'
import type { ReplicaState } from './replica-state.ts'
import { sealSnapshot } from './snapshots.ts'

/**
 * True when the log has grown enough since its last snapshot; of a large document by
 * half of what it was, so that the whole is not written anew for every megabyte.
 */
export function isCompactionDue({ grown, snapshotBytes }: ReplicaState): boolean {
  const enough = Math.max(SYNC_COMPACT_BYTES, snapshotBytes / 2)
  return grown.envelopes >= SYNC_COMPACT_ENVELOPES || grown.bytes >= enough
}

/**
 * Writes snapshots of heads and content, so that opening reads little; and, when
 * something was erased, a log in which erased envelopes are only their heads. Each
 * takes effect after it was read back. In the document's turn.
 * @throws MeshError `storage-full`, `storage-failed`; what was in force stays so
 */
export async function compact(state: ReplicaState, options: Options): Promise<void> {
  if (state.grown.erasing > 0) await rewrite(state, options)
  else await state.log.save(await partsNow(state, options), options)
  state.grown = { envelopes: 0, bytes: 0, erasing: 0 }
}

async function partsNow(state: ReplicaState, options: Options): Promise<{ index: SavedPart; content?: SavedPart }> {
  const through = state.lastPosition
  const index = { through, bytes: state.chains.save() }
  const content = await contentNow(state, options)
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
  for (const { sequence: position, bytes } of await log.read(0, options)) {
    const logged = readLogEntry(bytes)
    if (logged !== undefined && isInForce(state, logged.envelope, position)) {
      const { envelope, checked } = logged
      kept.push(logEntry(isErased(state, envelope) ? hollow(envelope) : envelope, checked))
      const own = places.get(envelope.chain) ?? []
      own.push(kept.length)
      places.set(envelope.chain, own)
    }
    movedTo.set(position, kept.length)
  }
  const undo = move(state, places, kept.length)
  try {
    const parts = await partsNow(state, options)
    const old = parts.content === undefined ? await log.part('content', options) : undefined
    const carried = old === undefined ? {} : { content: { ...old, through: movedTo.get(old.through) ?? 0 } }
    await log.rewrite(kept, { ...carried, ...parts }, options)
  } catch (error) {
    undo()
    throw error
  }
}

/** False for what a torn write left twice or without what follows. */
function isInForce({ chains }: ReplicaState, { chain, head }: Envelope, position: number): boolean {
  return chains.get(chain)?.positions[head.sequence - 1] === position
}

function isErased({ chains }: ReplicaState, { chain: number, head }: Envelope): boolean {
  const chain = chains.get(number)
  return chain !== undefined && isSpent(chain, head.from, head.count)
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
