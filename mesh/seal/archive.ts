import * as z from 'zod/mini'
import {
  ARCHIVE_CHUNK_BYTES,
  ARCHIVE_RECORD_MAX_BYTES,
  isMeshError,
  MeshError,
  throwIfAborted,
  type Clock,
  type Random,
} from '../base/index.ts'
import { bytes, decode, encode, text } from '../wire/index.ts'
import { BOX_OVERHEAD_BYTES } from './aead.ts'
import {
  headLengthOf,
  openHead,
  PREFIX_BYTES,
  writeHead,
  type ArchiveKey,
  type ArchiveLock,
  type ArchiveSeal,
} from './archive-head.ts'
import { createByteQueue, type ByteQueue } from './byte-queue.ts'

/** Bytes in front of a record that say how long it is. */
const LENGTH_BYTES = 4
const SEALED_CHUNK_BYTES = ARCHIVE_CHUNK_BYTES + BOX_OVERHEAD_BYTES
/** Room for kind and CBOR around the body. */
const RECORD_FRAME_MAX_BYTES = ARCHIVE_RECORD_MAX_BYTES + 128

const recordSchema = z.object({
  kind: text(60).check(z.regex(/^[a-z0-9/-]+$/)),
  body: bytes(ARCHIVE_RECORD_MAX_BYTES),
})

/** One thing in an archive. What a body holds is the business of its kind. */
export interface ArchiveRecord {
  /** `[a-z0-9/-]`, at most 60 characters. */
  readonly kind: string
  readonly body: Uint8Array
}

interface Options {
  readonly signal?: AbortSignal | undefined
}

/**
 * Writes an archive piece by piece, with no more than a record and a chunk in memory.
 * A fresh key seals chunks of {@link ARCHIVE_CHUNK_BYTES}; each is bound to the head, to its
 * number, and to whether it is the last (the STREAM construction: Hoang, Reyhanitabar,
 * Rogaway, Vizár 2015), so nothing can be left out, doubled, moved or cut off unseen.
 * @throws MeshError `usage` for a short passphrase, `too-large` for a record, `unsupported`
 */
export async function* sealArchive(
  records: AsyncIterable<ArchiveRecord> | Iterable<ArchiveRecord>,
  lock: ArchiveLock,
  ports: { readonly random: Random; readonly clock: Clock },
  options: Options = {},
): AsyncGenerator<Uint8Array, void, undefined> {
  const { random, clock } = ports
  const head = await writeHead(lock, { random, nowMs: Math.max(0, Math.floor(clock.now())) })
  yield head.bytes
  const waiting = createByteQueue()
  let count = 0
  const chunk = (isLast: boolean): Promise<Uint8Array> =>
    head.key.seal(waiting.take(ARCHIVE_CHUNK_BYTES), contextOf(head, count++, isLast), random)
  for await (const record of records) {
    throwIfAborted(options.signal)
    for (const part of frameOf(record)) waiting.push(part)
    // one that is exactly full may be the last
    while (waiting.length > ARCHIVE_CHUNK_BYTES) yield await chunk(false)
  }
  yield await chunk(true)
}

/**
 * Reads an archive piece by piece. Each record is as it was sealed; that none is missing
 * at the end is known only once the reading ended without an error, so keep nothing
 * before.
 * @throws MeshError `malformed`, `unsupported` for what is no archive; `passphrase-wrong`;
 * `integrity` for one that was changed, put together anew, or cut short
 */
export async function* openArchive(
  source: AsyncIterable<Uint8Array>,
  key: ArchiveKey,
  options: Options = {},
): AsyncGenerator<ArchiveRecord, void, undefined> {
  const input = createInput(source, options)
  try {
    const prefix = await input.take(PREFIX_BYTES)
    const head = await input.take(headLengthOf(prefix))
    const seal = await openHead(prefix, head, key)
    const plain = createByteQueue()
    for (let count = 0, isLast = false; !isLast; count++) {
      const box = await input.take(SEALED_CHUNK_BYTES)
      isLast = await input.isAtEnd()
      plain.push(await openChunk(seal, box, count, isLast))
      yield* recordsIn(plain)
    }
    if (plain.length > 0) throw damaged('it ends within a record')
  } finally {
    await input.close()
  }
}

async function openChunk(seal: ArchiveSeal, box: Uint8Array, count: number, isLast: boolean): Promise<Uint8Array> {
  try {
    const plain = await seal.key.open(box, contextOf(seal, count, isLast))
    // nobody writes one: it would be another form of the same archive
    if (plain.byteLength === 0 && count > 0) throw damaged('its last part is empty')
    return plain
  } catch (error) {
    throw isMeshError(error, 'integrity') ? damaged('a part does not open', error) : error
  }
}

function* recordsIn(plain: ByteQueue): Generator<ArchiveRecord, void, undefined> {
  for (;;) {
    if (plain.length < LENGTH_BYTES) return
    const length = plain.peek(LENGTH_BYTES).reduce((sum, byte) => sum * 256 + byte, 0)
    if (length > RECORD_FRAME_MAX_BYTES) throw damaged('a record is too long')
    if (plain.length < LENGTH_BYTES + length) return
    plain.take(LENGTH_BYTES)
    yield recordOf(plain.take(length))
  }
}

function recordOf(encoded: Uint8Array): ArchiveRecord {
  try {
    return decode(encoded, recordSchema, { maxBytes: RECORD_FRAME_MAX_BYTES, what: 'A record of the archive' })
  } catch (error) {
    throw damaged('a record cannot be read', error)
  }
}

function frameOf(record: ArchiveRecord): readonly Uint8Array[] {
  if (record.body.byteLength > ARCHIVE_RECORD_MAX_BYTES) {
    throw new MeshError('too-large', `A record of an archive has at most ${String(ARCHIVE_RECORD_MAX_BYTES)} bytes.`, {
      detail: { maxBytes: ARCHIVE_RECORD_MAX_BYTES, gotBytes: record.body.byteLength },
    })
  }
  const checked = recordSchema.safeParse(record)
  if (!checked.success) throw new MeshError('bug', `A record of an archive has no such kind: ${record.kind}.`)
  const encoded = encode(checked.data)
  const length = new Uint8Array(LENGTH_BYTES)
  for (let at = LENGTH_BYTES - 1, left = encoded.byteLength; at >= 0; at--) {
    length[at] = left & 0xff
    left >>>= 8
  }
  return [length, encoded]
}

function contextOf(seal: ArchiveSeal, count: number, isLast: boolean): Uint8Array {
  return encode({ what: 'plexus archive v1', head: seal.headHash, count, isLast })
}

interface Input {
  /** The next bytes, fewer only at the end. */
  take(count: number): Promise<Uint8Array>
  isAtEnd(): Promise<boolean>
  close(): Promise<void>
}

/** Reads no further ahead than it must. */
function createInput(source: AsyncIterable<Uint8Array>, { signal }: Options): Input {
  const iterator = source[Symbol.asyncIterator]()
  const waiting = createByteQueue()
  let hasEnded = false
  const have = async (count: number): Promise<void> => {
    while (!hasEnded && waiting.length < count) {
      throwIfAborted(signal)
      const next = await iterator.next()
      if (next.done === true) hasEnded = true
      else waiting.push(next.value)
    }
  }
  return {
    async take(count) {
      await have(count)
      return waiting.take(count)
    },
    async isAtEnd() {
      await have(1)
      return waiting.length === 0
    },
    async close() {
      if (!hasEnded) await iterator.return?.()
    },
  }
}

function damaged(how: string, cause?: unknown): MeshError {
  return new MeshError('integrity', `This archive is damaged or not whole: ${how}.`, { cause, fault: 'user' })
}
