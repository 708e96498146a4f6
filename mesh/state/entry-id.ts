import { sha256 } from '@noble/hashes/sha2.js'
import { MeshError, sortableId, type DeviceId, type Random } from '../base/index.ts'

const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz'
/** 50 bits: a device key that ends alike would have to be searched for among 2^50. */
const MARK_LENGTH = 10

const marks = new Map<DeviceId, string>()

/** What the ids that a device gives end with: 10 characters made from its id. */
export function markOf(device: DeviceId): string {
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
 * its author, so that no other device can write something under the same id and so
 * push it out of a room or a chat.
 */
export function entryId(nowMs: number, random: Random, author: DeviceId): string {
  return sortableId(nowMs, random) + markOf(author)
}

/** An id that says whose it is. */
const MARKED = /^[0-9a-z]{36}$/

/** What of an id a device gives; the mark of its author follows. */
const KEY = /^[0-9a-z]{26}$/

/**
 * The id an operation of this device has under a key: the same for the same key.
 * @throws MeshError `usage` when the key is no `sortableId`
 */
export function entryIdUnder(key: string, author: DeviceId): string {
  if (!KEY.test(key)) throw new MeshError('usage', 'This cannot be the name of something new.')
  return key + markOf(author)
}

/** True for an id that this device could have given. */
export function isEntryIdOf(id: string, author: DeviceId): boolean {
  return id.endsWith(markOf(author))
}

/** The mark an id ends with; undefined for an id without one. */
export function markIn(id: string): string | undefined {
  return MARKED.test(id) ? id.slice(-MARK_LENGTH) : undefined
}
