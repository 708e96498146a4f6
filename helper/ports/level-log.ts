import { open, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Logger } from '../../mesh/base/index.ts'
import { crc32c, flippedBit } from './crc32c.ts'
import { newestLog, readNotedLength, type NotedLength } from './level-length.ts'

// What LevelDB writes lies in its log (`NUMBER.log`) until it is moved into a table, and
// which tables there are in another log (`MANIFEST-NUMBER`). Both are blocks of 32 KiB of
// records, each with a sum. Of its log LevelDB drops a record whose sum is wrong, with
// all that follows in the block, and opens without a word: that is what is acknowledged
// newest. A MANIFEST with a wrong sum keeps everything from opening.

const BLOCK_BYTES = 32 * 1024
const SUM_BYTES = 4
/** Sum, length, type. */
const HEADER_BYTES = 7
const SUM_MASK = 0xa282ead8
/** Types of a record: all of something that was written, or a piece of it. */
const FULL = 1
const LAST = 4

/** What became of the logs of a store. */
export interface LogDamage {
  /** Bits that were put right: nothing is lost by them. */
  readonly mended: number
  /** Places with something unreadable before something that can be read, or before what was noted: acknowledged, and lost. */
  readonly holes: number
  /** The end of the newest log cannot be read: a write that was cut, or the last one that was acknowledged. */
  readonly isEndUnreadable: boolean
}

/**
 * Looks through the logs of a LevelDB that is not open. A record with one wrong bit, in
 * itself or in its sum, is put right in place, which is exact: the sum says which it
 * is. What is damaged beyond that is told, and LevelDB leaves it out.
 * @throws the error of the file system
 */
export async function mendLevelLogs(directory: string, log: Logger): Promise<LogDamage> {
  const all = await readdir(directory)
  const names = all.filter((name) => /^(\d+\.log|MANIFEST-\d+)$/.test(name)).sort()
  const noted = await readNotedLength(directory)
  let [mended, holes, isEndUnreadable] = [0, isGone(noted, names) ? 1 : 0, false]
  for (const name of names) {
    const file = join(directory, name)
    const bytes = await readFile(file)
    const looked = lookThrough(bytes)
    if (looked.changes.length > 0) await write(file, bytes, looked.changes)
    mended += looked.changes.length
    holes += looked.holes
    if (name === noted?.name && looked.readableBytes < noted.sizeBytes) holes += 1
    else if (name.endsWith('.log')) isEndUnreadable ||= looked.isEndUnreadable
  }
  tell(directory, { mended, holes, isEndUnreadable }, log)
  return { mended, holes, isEndUnreadable }
}

/** A log goes when what is in it lies in tables, and another was begun by then. */
function isGone(noted: NotedLength | undefined, names: readonly string[]): boolean {
  if (noted === undefined || names.includes(noted.name)) return false
  return parseInt(newestLog(names) ?? '0', 10) <= parseInt(noted.name, 10)
}

function tell(path: string, { mended, holes, isEndUnreadable }: LogDamage, log: Logger): void {
  if (mended > 0)
    log.warn('Wrong bits in the stored data were put right; nothing is lost. The disk may be failing.', {
      ...{ path, mended },
    })
  if (holes > 0)
    log.error(
      'A part of what was stored last is damaged and gone: messages of the last time, or changes of the mesh. ' +
        'Look through its devices: one that was removed may have to be removed again. The disk may be failing.',
      { path, holes },
    )
  if (isEndUnreadable) log.warn('The last thing that was being stored is not whole and is left out.', { path })
}

/** A byte that has to be another. */
interface Change {
  readonly at: number
  readonly byte: number
}

interface Looked {
  readonly changes: readonly Change[]
  readonly holes: number
  readonly isEndUnreadable: boolean
  /** Where the last ends that can be read. */
  readonly readableBytes: number
}

function lookThrough(bytes: Uint8Array): Looked {
  const changes: Change[] = []
  let holes = 0
  let readableBytes = 0
  /** Something before here could not be read. */
  let isBroken = false
  /** Of something in several pieces the last has not come. */
  let isInPieces = false
  for (let at = 0; at < bytes.byteLength;) {
    const blockEnd = Math.min(bytes.byteLength, (Math.floor(at / BLOCK_BYTES) + 1) * BLOCK_BYTES)
    if (blockEnd - at < HEADER_BYTES) {
      // the rest of a block is empty; of the last one it is a write that was cut
      isBroken ||= blockEnd === bytes.byteLength && blockEnd % BLOCK_BYTES !== 0
      at = blockEnd
      continue
    }
    const record = readRecord(bytes, at, blockEnd)
    if (record === undefined) {
      isBroken = true
      at = blockEnd
      continue
    }
    if (isBroken) holes += 1
    isBroken = false
    isInPieces = record.type !== FULL && record.type !== LAST
    changes.push(...record.changes)
    at += record.sizeBytes
    readableBytes = at
  }
  return { changes, holes, isEndUnreadable: isBroken || isInPieces, readableBytes }
}

interface LogRecord {
  readonly sizeBytes: number
  readonly type: number
  readonly changes: readonly Change[]
}

/** The record at a place, with what has to be changed for it to be the one that was written; undefined: it cannot be read. */
function readRecord(bytes: Uint8Array, at: number, blockEnd: number): LogRecord | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset + at, HEADER_BYTES)
  const stored = view.getUint32(0, true)
  const length = view.getUint16(SUM_BYTES, true)
  const typeAt = at + HEADER_BYTES - 1
  const room = blockEnd - at - HEADER_BYTES
  const bodyOf = (size: number): Uint8Array => bytes.subarray(typeAt, at + HEADER_BYTES + size)
  const recordOf = (size: number, change?: Change): LogRecord => ({
    sizeBytes: HEADER_BYTES + size,
    type: (change?.at === typeAt ? change.byte : bytes[typeAt]) ?? 0,
    changes: change === undefined ? [] : [change],
  })
  // a piece of the disk that reads as zeros: LevelDB takes it for room that was not used, and leaves out the block
  if (stored === 0 && length === 0 && bytes[typeAt] === 0) return undefined

  const written = unmasked(stored)
  if (length <= room && crc32c(bodyOf(length)) === written) return recordOf(length)
  for (let bit = 0; bit < 16; bit++) {
    const other = length ^ (1 << bit)
    if (other > room || crc32c(bodyOf(other)) !== written) continue
    return recordOf(other, flipped(bytes, at + SUM_BYTES + (bit >> 3), bit & 7))
  }
  if (length > room) return undefined
  const difference = (masked(crc32c(bodyOf(length))) ^ stored) >>> 0
  if ((difference & (difference - 1)) === 0) {
    const bit = 31 - Math.clz32(difference)
    return recordOf(length, flipped(bytes, at + (bit >> 3), bit & 7))
  }
  const found = flippedBit(bodyOf(length), written)
  return found && recordOf(length, flipped(bytes, typeAt + found.at, found.bit))
}

function flipped(bytes: Uint8Array, at: number, bit: number): Change {
  return { at, byte: (bytes[at] ?? 0) ^ (1 << bit) }
}

async function write(file: string, bytes: Uint8Array, changes: readonly Change[]): Promise<void> {
  const handle = await open(file, 'r+')
  try {
    for (const { at, byte } of changes) {
      bytes[at] = byte
      await handle.write(bytes, at, 1, at)
    }
    await handle.sync()
  } finally {
    await handle.close()
  }
}

function masked(sum: number): number {
  return (((sum >>> 15) | (sum << 17)) + SUM_MASK) >>> 0
}

function unmasked(stored: number): number {
  const turned = (stored - SUM_MASK) >>> 0
  return ((turned >>> 17) | (turned << 15)) >>> 0
}
