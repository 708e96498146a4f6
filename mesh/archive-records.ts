import * as z from 'zod/mini'
import {
  ARCHIVE_PART_MAX_BYTES,
  ARCHIVE_RECORD_MAX_BYTES,
  ID_MAX_LENGTH,
  MeshError,
  SYNC_OPERATION_MAX_BYTES,
  type ChatId,
} from './base/index.ts'
import { cleanName } from './identity/index.ts'
import type { ArchiveRecord } from './seal/index.ts'
import type { ArchivedChat, ArchivedRoom } from './state/index.ts'
import { bytes, decode, deviceId, encode, list, personId, roomId, text, whole } from './wire/index.ts'

/** Version of what records say; a higher one is refused. */
const VERSION = 1
/** Bytes of operations after which a record is full. */
const BATCH_BYTES = 1024 * 1024
const BATCH_MAX = 65_536

const about = z.object({ v: whole(), mesh: text(64), device: text(ID_MAX_LENGTH), name: text(200), at: whole() })
const room = z.object({
  id: roomId,
  history: z.enum(['all', 'joining']),
  createdAt: whole(),
  self: personId,
  people: list(z.object({ id: personId, name: text(200) }), BATCH_MAX),
  devices: list(z.object({ id: deviceId, person: personId }), BATCH_MAX),
})
const operation = z.object({ id: text(64), author: deviceId, at: whole(), bytes: bytes(SYNC_OPERATION_MAX_BYTES) })
const operations = z.object({ operations: list(operation, BATCH_MAX) })
const chat = z.object({ id: text(64).check(z.regex(/^[a-z0-9][a-z0-9-]{0,63}$/)), record: bytes(BATCH_BYTES) })
/** An operation of a chat may be larger than a record: it comes in pieces, the last says so. */
const piece = z.object({ of: z.enum(['log', 'draft']), bytes: bytes(BATCH_BYTES), isLast: z.boolean() })
const pieces = z.object({ pieces: list(piece, BATCH_MAX) })

/** Kinds that begin a part. Everything of a part comes behind its beginning. */
export const PART_KINDS: ReadonlySet<string> = new Set(['room', 'chat'])
const MORE_KINDS: ReadonlySet<string> = new Set(['room/operations', 'chat/pieces'])
const ABOUT = 'about'

/** What an archive says of where it comes from. */
export type ArchiveAboutMesh = Omit<z.output<typeof about>, 'v'>

/** A room or chat of an archive, whole. */
export type ArchivedPart =
  { readonly kind: 'room'; readonly room: ArchivedRoom } | { readonly kind: 'chat'; readonly chat: ArchivedChat }

/** What the mesh makes of a record: something before the parts, a piece of one, or another's business. */
export function recordRole(record: ArchiveRecord): 'about' | 'begins' | 'continues' | 'foreign' {
  if (record.kind === ABOUT) return 'about'
  if (PART_KINDS.has(record.kind)) return 'begins'
  return MORE_KINDS.has(record.kind) ? 'continues' : 'foreign'
}

/** The first record of an archive. */
export function aboutRecord(given: ArchiveAboutMesh): ArchiveRecord {
  return { kind: ABOUT, body: encode({ v: VERSION, ...given }) }
}

/** The first record, read. @throws MeshError `unsupported` where the archive is of a newer version, `integrity` */
export function readAbout(record: ArchiveRecord): ArchiveAboutMesh {
  const { v } = read(record, z.object({ v: whole() }))
  if (v > VERSION) throw new MeshError('unsupported', 'This archive is of a newer version of Plexus.')
  const { mesh, device, name, at } = read(record, about)
  return { mesh, device, name: cleanName(name), at }
}

/** The records of a room. */
export function* roomRecords(archived: ArchivedRoom): Generator<ArchiveRecord> {
  const { operations: all, createdAt, ...head } = archived
  yield { kind: 'room', body: encode({ ...head, createdAt: Math.floor(createdAt) }) }
  const entries = all.map(({ id, author, at, bytes: content }) => ({ id, author, at: Math.max(0, Math.floor(at)), bytes: content })) // prettier-ignore
  for (const batch of batches(entries)) yield { kind: 'room/operations', body: encode({ operations: batch }) }
}

/** The records of a chat. */
export function* chatRecords(archived: ArchivedChat): Generator<ArchiveRecord> {
  yield { kind: 'chat', body: encode({ id: archived.id, record: archived.record }) }
  const all = [...piecesOf('log', archived.log), ...piecesOf('draft', archived.drafts)]
  for (const batch of batches(all)) yield { kind: 'chat/pieces', body: encode({ pieces: batch }) }
}

/** Puts the records of one part together again. @throws MeshError `integrity` */
export function partOf(records: readonly ArchiveRecord[]): ArchivedPart {
  const [head, ...rest] = records
  if (head?.kind === 'room') {
    const known = read(head, room)
    const people = known.people.map(({ id, name }) => ({ id: id, name: cleanName(name) }))
    const all = rest.flatMap((record) => read(record, operations, 'room/operations').operations)
    return {
      kind: 'room',
      room: { ...known, people, operations: all.map((one) => ({ ...one, author: one.author })) },
    }
  }
  if (head?.kind !== 'chat') throw damaged()
  const known = read(head, chat)
  const all = rest.flatMap((record) => read(record, pieces, 'chat/pieces').pieces)
  return {
    kind: 'chat',
    chat: { id: known.id as ChatId, record: known.record, log: joined(all, 'log'), drafts: joined(all, 'draft') },
  }
}

/** Watches how large a part gets. @throws MeshError `too-large` */
export function checkPartSize(sizeBytes: number): void {
  if (sizeBytes <= ARCHIVE_PART_MAX_BYTES) return
  throw new MeshError('too-large', 'A room or chat of this archive is too large to be imported.', {
    detail: { maxBytes: ARCHIVE_PART_MAX_BYTES },
  })
}

function* piecesOf(of: 'log' | 'draft', all: readonly Uint8Array[]): Generator<z.output<typeof piece>> {
  for (const content of all) {
    for (let start = 0; start === 0 || start < content.byteLength; start += BATCH_BYTES) {
      const end = start + BATCH_BYTES
      yield { of, bytes: content.subarray(start, end), isLast: end >= content.byteLength }
    }
  }
}

function joined(all: readonly z.output<typeof piece>[], of: 'log' | 'draft'): Uint8Array[] {
  const whole: Uint8Array[] = []
  let open: Uint8Array[] = []
  for (const one of all) {
    if (one.of !== of) continue
    open.push(one.bytes)
    if (!one.isLast) continue
    whole.push(concatenated(open))
    open = []
  }
  if (open.length > 0) throw damaged()
  return whole
}

function concatenated(parts: readonly Uint8Array[]): Uint8Array {
  if (parts.length === 1 && parts[0] !== undefined) return parts[0]
  const bytesOfAll = new Uint8Array(parts.reduce((sum, part) => sum + part.byteLength, 0))
  let at = 0
  for (const part of parts) {
    bytesOfAll.set(part, at)
    at += part.byteLength
  }
  return bytesOfAll
}

function* batches<Item extends { readonly bytes: Uint8Array }>(items: readonly Item[]): Generator<readonly Item[]> {
  let batch: Item[] = []
  let sizeBytes = 0
  for (const item of items) {
    // ids, authors and CBOR around it
    const itemBytes = item.bytes.byteLength + 300
    if (batch.length > 0 && (sizeBytes + itemBytes > BATCH_BYTES || batch.length === BATCH_MAX)) {
      yield batch
      batch = []
      sizeBytes = 0
    }
    batch.push(item)
    sizeBytes += itemBytes
  }
  if (batch.length > 0) yield batch
}

function read<Schema extends z.ZodMiniType>(record: ArchiveRecord, schema: Schema, kind?: string): z.output<Schema> {
  if (kind !== undefined && record.kind !== kind) throw damaged()
  try {
    return decode(record.body, schema, { maxBytes: ARCHIVE_RECORD_MAX_BYTES, what: 'A record of the archive' })
  } catch (error) {
    throw damaged(error)
  }
}

function damaged(cause?: unknown): MeshError {
  return new MeshError('integrity', 'This archive holds something that cannot be read. Nothing was imported.', {
    cause,
    fault: 'user',
  })
}
