import { sha256 } from '@noble/hashes/sha2.js'
import { sortableId, type DeviceId, type Random } from '../../base/index.ts'

const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz'
/** 50 bits: a device key that ends alike would have to be searched for among 2^50. */
const MARK_LENGTH = 10

const marks = new Map<DeviceId, string>()

function markOf(device: DeviceId): string {
  const known = marks.get(device)
  if (known !== undefined) return known
  let mark = ''
  for (const byte of sha256(new TextEncoder().encode(device)).subarray(0, MARK_LENGTH))
    mark += ALPHABET.charAt(byte % 32)
  marks.set(device, mark)
  return mark
}

/**
 * An id for an operation of this device. It sorts by time and ends with the mark of
 * its author, so that no other member can write something under the same id and so
 * push it out of the room.
 */
export function entryId(nowMs: number, random: Random, author: DeviceId): string {
  return sortableId(nowMs, random) + markOf(author)
}

/** True for an id that this device could have given. */
export function isEntryIdOf(id: string, author: DeviceId): boolean {
  return id.endsWith(markOf(author))
}
