import * as z from 'zod/mini'
import {
  createTwiceKept,
  deleteTwice,
  isMeshError,
  MeshError,
  messageOf,
  type Logger,
  type ReadEntry,
  type ReadLogOptions,
  type Store,
  type TwiceKept,
} from '../base/index.ts'
import { digest } from '../seal/index.ts'
import { decode, encode, exactBytes, whole } from '../wire/index.ts'
import { NO_GROWTH, type LogGrowth } from './log-growth.ts'
import type { Options } from './options.ts'

/** A snapshot beside the log: what it covers, and its bytes. */
export interface SavedPart {
  /** Place in the log up to which it holds everything. */
  readonly through: number
  readonly bytes: Uint8Array
}

/** What lies beside the log: of the heads for every document, of the content for those that were open. */
export type PartName = 'index' | 'content'

/**
 * The durable log of one document and its snapshots. Envelopes are only appended;
 * a snapshot or a shorter log takes effect by one write of a small record, after it
 * was read back. A kill, or a write that fails, leaves the one before in force at any
 * moment; while nobody can know which a restart would find, neither is touched.
 */
export interface DocumentLog {
  /** How many entries that a snapshot covers the log ended before, when it was opened. */
  readonly missingAtEnd: number
  /** Appends, all or none, behind all that a snapshot covers; resolves to the place of the first once durable. */
  append(entries: readonly Uint8Array[], options: Options): Promise<number>
  /**
   * Entries after a place, up to another where there was an entry when one is given; those without bytes are
   * damaged.
   */
  read(after: number, options: ReadLogOptions): Promise<ReadEntry[]>
  /** Places of the damaged ones that were read since it was asked last. */
  takeDamaged(): readonly number[]
  /** No snapshot of the heads is in force any more. */
  forgetIndex(options: Options): Promise<void>
  /** A snapshot, or undefined when there is none or it does not read back as it was written. */
  part(name: PartName, options: Options): Promise<SavedPart | undefined>
  /** Puts snapshots in force, and notes how much the log has grown by then since it was written anew. */
  save(parts: Partial<Record<PartName, SavedPart>>, unforgotten: LogGrowth, options: Options): Promise<void>
  /** What {@link save} noted last; none after {@link rewrite}. */
  unforgotten(): LogGrowth
  /** Size of the log when it was last written anew. */
  rewrittenBytes(): number
  /** Puts a shorter log in force, with snapshots that fit its places. */
  rewrite(entries: readonly Uint8Array[], parts: Partial<Record<PartName, SavedPart>>, options: Options): Promise<void>
}

/** Bytes of a snapshot in one entry of its own log. */
const CHUNK_BYTES = 256 * 1024

const savedPart = z.nullable(z.object({ number: whole(), through: whole(), hash: exactBytes(32) }))
const growth = z.object({ envelopes: whole(), bytes: whole(), erasing: whole() })
// earlier versions wrote every log anew in which something was erased: there is nothing to forget
const record = z.object({
  generation: whole(),
  index: savedPart,
  content: savedPart,
  unforgotten: z._default(growth, NO_GROWTH),
  // not known of logs that an earlier version wrote anew
  rewrittenBytes: z._default(whole(), 0),
})
type Pointer = z.output<typeof record>

const FIRST_POINTER: Pointer = {
  ...{ generation: 1, index: null, content: null },
  ...{ unforgotten: NO_GROWTH, rewrittenBytes: 0 },
}

/** Opens the log of a document by its key. @throws MeshError of the store */
export async function openDocumentLog(
  { store, log }: { readonly store: Store; readonly log: Logger },
  key: string,
  options: Options,
): Promise<DocumentLog> {
  const recordKey = `sync/document/${key}`
  const kept = createTwiceKept(store, recordKey, log)
  let pointer = (await readPointer(kept, recordKey, log, options)) ?? FIRST_POINTER
  let damaged: number[] = []

  const logName = (generation: number): string => `sync/document/${key}/log-${String(generation)}`
  const partName = (name: PartName, number: number): string => `sync/document/${key}/${name}-${String(number)}`

  const readPart = async (name: PartName, number: number, given: Options): Promise<Uint8Array> =>
    joined((await store.readLog(partName(name, number), 0, given)).flatMap((entry) => entry.bytes ?? []))

  /** Writes a snapshot beside the one in force and reads it back. */
  const writePart = async (name: PartName, part: SavedPart, given: Options): Promise<Pointer['index']> => {
    const number = (pointer[name]?.number ?? 0) + 1
    // what a kill may have left there, and behind
    await store.dropLog(partName(name, number), given)
    if (number > 2) await store.dropLog(partName(name, number - 2), given)
    await store.append(partName(name, number), chunksOf(part.bytes), given)
    const hash = await digest(part.bytes)
    if (!equal(await digest(await readPart(name, number, given)), hash)) throw notKept()
    return { number, through: part.through, hash }
  }

  const makeSure = (given: Options): Promise<void> => kept.makeSure(() => encode(pointer), given)

  const forget = async (name: string, given: Options): Promise<void> => {
    try {
      await store.dropLog(name, given)
    } catch (error) {
      log.warn('an old log could not be dropped and is tried again later', { name, reason: messageOf(error) })
    }
  }

  const putInForce = async (next: Pointer, given: Options): Promise<void> => {
    const before = pointer
    await kept.put(encode(next), given)
    pointer = next
    for (const name of ['index', 'content'] as const) {
      const old = before[name]
      if (old !== null && old.number !== next[name]?.number) await forget(partName(name, old.number), given)
    }
    if (before.generation !== next.generation) await forget(logName(before.generation), given)
  }

  const withParts = async (
    next: Pointer,
    parts: Partial<Record<PartName, SavedPart>>,
    given: Options,
  ): Promise<Pointer> => ({
    ...next,
    ...(parts.index === undefined ? {} : { index: await writePart('index', parts.index, given) }),
    ...(parts.content === undefined ? {} : { content: await writePart('content', parts.content, given) }),
  })

  const covered = (): number => Math.max(pointer.index?.through ?? 0, pointer.content?.through ?? 0)

  /**
   * Of a log that ends before what its snapshots cover, what is there counts: entries that are appended get the
   * numbers of those that are gone, and would be taken for known. The content of a snapshot stays as it is.
   */
  const endAt = async (end: number, given: Options): Promise<void> => {
    const { index, content } = pointer
    const next = {
      ...pointer,
      index: index !== null && index.through > end ? null : index,
      content: content === null ? null : { ...content, through: Math.min(content.through, end) },
    }
    try {
      await putInForce(next, given)
    } finally {
      // if it is not written yet, it is before anything is appended
      pointer = next
    }
  }

  const findMissingAtEnd = async (): Promise<number> => {
    const through = covered()
    const name = logName(pointer.generation)
    if (through === 0 || (await store.readLog(name, through - 1, { ...options, through })).length > 0) return 0
    const end = (await store.readLog(name, 0, options)).at(-1)?.sequence ?? 0
    // with something behind it, it is a gap, which is found when it is read
    if (end > through) return 0
    try {
      await endAt(end, options)
    } catch (error) {
      log.warn('the end of a damaged log could not be noted yet', { key, reason: messageOf(error) })
    }
    return through - end
  }

  const missingAtEnd = await findMissingAtEnd()

  return {
    missingAtEnd,
    async append(entries, given) {
      await makeSure(given)
      const last = await store.append(logName(pointer.generation), entries, given)
      const first = last - entries.length + 1
      if (first <= covered()) await endAt(first - 1, given)
      return first
    },
    async read(after, given) {
      const entries = await store.readLog(logName(pointer.generation), after, given)
      for (const { sequence, bytes } of entries) if (bytes === undefined) damaged.push(sequence)
      const end = entries.at(-1)?.sequence ?? after
      for (let place = end + 1; place <= (given.through ?? 0); place++) damaged.push(place)
      return entries
    },
    takeDamaged() {
      const found = damaged
      damaged = []
      return found
    },
    async forgetIndex(given) {
      if (pointer.index === null) return
      await makeSure(given)
      await putInForce({ ...pointer, index: null }, given)
    },
    async part(name, given) {
      const part = pointer[name]
      if (part === null) return undefined
      const bytes = await readPart(name, part.number, given)
      return equal(await digest(bytes), part.hash) ? { through: part.through, bytes } : undefined
    },
    async save(parts, unforgotten, given) {
      await makeSure(given)
      await putInForce({ ...(await withParts(pointer, parts, given)), unforgotten }, given)
    },
    unforgotten: () => pointer.unforgotten,
    rewrittenBytes: () => pointer.rewrittenBytes,
    async rewrite(entries, parts, given) {
      // a record that was not written for sure may name the very log that is begun now
      await makeSure(given)
      const generation = pointer.generation + 1
      await store.dropLog(logName(generation), given)
      if (generation > 2) await store.dropLog(logName(generation - 2), given)
      await store.append(logName(generation), entries, given)
      const back = await store.readLog(logName(generation), 0, given)
      const kept =
        back.length === entries.length &&
        back.every(({ sequence, bytes }, index) => sequence === index + 1 && equal(entries[index], bytes))
      if (!kept) throw notKept()
      // snapshots that do not come along would name places of the old log
      const rewrittenBytes = entries.reduce((sum, entry) => sum + entry.byteLength, 0)
      const empty = { generation, index: null, content: null, unforgotten: NO_GROWTH, rewrittenBytes }
      const next = await withParts(empty, parts, given)
      await putInForce(next, given)
      damaged = []
    },
  }
}

/** The record of a document; undefined where there is none, or none that can be read. */
async function readPointer(kept: TwiceKept, key: string, log: Logger, options: Options): Promise<Pointer | undefined> {
  try {
    const stored = await kept.read(options)
    if (stored === undefined) return undefined
    return decode(stored, record, { maxBytes: 4_096, what: 'The record of a document' })
  } catch (error) {
    if (!isMeshError(error, 'storage-corrupt')) throw error
    // both: everything of it is fetched again, by a log that begins anew
    log.error('the record of a document is damaged; it is asked for again where other devices have it', { key, error })
    return undefined
  }
}

/** Forgets the log of a document, its snapshots and its record. @throws MeshError of the store */
export async function dropDocumentLog(
  { store, log }: { readonly store: Store; readonly log: Logger },
  key: string,
  options: Options,
): Promise<void> {
  const recordKey = `sync/document/${key}`
  const kept = createTwiceKept(store, recordKey, log)
  const { generation, index, content } = (await readPointer(kept, recordKey, log, options)) ?? FIRST_POINTER
  for (const one of around(generation)) await store.dropLog(`${recordKey}/log-${String(one)}`, options)
  for (const [name, part] of Object.entries({ index, content }))
    for (const one of around(part?.number ?? 0)) await store.dropLog(`${recordKey}/${name}-${String(one)}`, options)
  await deleteTwice(store, recordKey, options)
}

/** What is in force, what was before it, and what was to come after it: a write that failed may have left either. */
function around(number: number): readonly number[] {
  return [number - 1, number, number + 1].filter((one) => one > 0)
}

function notKept(): MeshError {
  return new MeshError('storage-failed', 'What was written did not read back the same.')
}

function chunksOf(bytes: Uint8Array): Uint8Array[] {
  const chunks: Uint8Array[] = []
  for (let start = 0; start < bytes.byteLength; start += CHUNK_BYTES)
    chunks.push(bytes.subarray(start, start + CHUNK_BYTES))
  return chunks
}

function joined(chunks: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(chunks.reduce((sum, chunk) => sum + chunk.byteLength, 0))
  let offset = 0
  for (const chunk of chunks) {
    whole.set(chunk, offset)
    offset += chunk.byteLength
  }
  return whole
}

function equal(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  if (a === undefined || b === undefined || a.byteLength !== b.byteLength) return false
  // a plain loop: these are megabytes
  for (let index = 0; index < a.byteLength; index++) if (a[index] !== b[index]) return false
  return true
}
