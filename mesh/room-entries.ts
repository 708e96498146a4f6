import * as z from 'zod/mini'
import { SYNC_OPERATION_MAX_BYTES } from './base/index.ts'
import { bytes, decode, encode, text } from './wire/index.ts'

/** An operation of a room with its id, as it lies in the shared document, which names its entries by itself. */
export interface RoomDocumentEntry {
  readonly id: string
  readonly operation: Uint8Array
}

const ID_FORM = /^[a-z0-9][a-z0-9-]*$/
const ID_MAX_LENGTH = 64

const entry = z.object({ i: text(ID_MAX_LENGTH).check(z.regex(ID_FORM)), o: bytes(SYNC_OPERATION_MAX_BYTES) })

/** The bytes of an entry: a map of `i`, the id, and `o`, the operation (DAG-CBOR). */
export function encodeRoomEntry({ id, operation }: RoomDocumentEntry): Uint8Array<ArrayBuffer> {
  return encode({ i: id, o: operation })
}

/** Reads bytes of any member. @throws MeshError `too-large`, `malformed` */
export function decodeRoomEntry(given: Uint8Array): RoomDocumentEntry {
  const usual = readUsual(given)
  if (usual !== undefined) return usual
  const { i, o } = decode(given, entry, { maxBytes: SYNC_OPERATION_MAX_BYTES, what: 'An entry of a room' })
  return { id: i, operation: o }
}

/** Before the id: a map of two, the key `i`, and the head of a text of 24 to 255 bytes (RFC 8949 §3). */
const ID_AT = 5

/**
 * The one form that {@link encodeRoomEntry} makes, read by itself: a room has twenty
 * thousand of them to read when it is opened, and a general decoder takes four times
 * as long. Undefined for whatever is not exactly that form, valid or not.
 */
function readUsual(given: Uint8Array): RoomDocumentEntry | undefined {
  if (given[0] !== 0xa2 || given[1] !== 0x61 || given[2] !== 0x69 || given[3] !== 0x78) return undefined
  const idLength = given[ID_AT - 1] ?? 0
  if (idLength < 24 || idLength > ID_MAX_LENGTH || given.byteLength > SYNC_OPERATION_MAX_BYTES) return undefined
  // the key `o`
  const keyAt = ID_AT + idLength
  if (given[keyAt] !== 0x61 || given[keyAt + 1] !== 0x6f) return undefined
  const operation = byteStringAt(given, keyAt + 2)
  if (operation === undefined) return undefined
  let id = ''
  for (let at = ID_AT; at < keyAt; at++) id += String.fromCharCode(given[at] ?? 0)
  return ID_FORM.test(id) ? { id, operation } : undefined
}

/** The byte string of 24 to 65,535 bytes, in its shortest form, that goes to the end. */
function byteStringAt(given: Uint8Array, at: number): Uint8Array | undefined {
  const head = given[at]
  const first = given[at + 1] ?? 0
  const isShort = head === 0x58 && first >= 24
  const isLong = head === 0x59 && first > 0
  if (!isShort && !isLong) return undefined
  const start = isShort ? at + 2 : at + 3
  const length = isShort ? first : first * 256 + (given[at + 2] ?? 0)
  return start + length === given.byteLength ? given.subarray(start) : undefined
}
