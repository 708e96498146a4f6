import * as z from 'zod/mini'
import {
  ID_MAX_LENGTH,
  type DeviceId,
  type EntryHash,
  type InvitationId,
  type MeshId,
  type ModelId,
  type PersonId,
  type RequestId,
  type RoomId,
} from '../base/index.ts'

// A strict Content-Security-Policy forbids building functions from text.
z.config({ jitless: true })

/** A byte string of at most `maxLength` bytes. */
export function bytes(maxLength: number): z.ZodMiniType<Uint8Array> {
  return z
    .instanceof(Uint8Array)
    .check(z.refine((value) => value.byteLength <= maxLength, `more than ${String(maxLength)} bytes`))
}

/** A byte string of exactly `length` bytes. */
export function exactBytes(length: number): z.ZodMiniType<Uint8Array> {
  return z.instanceof(Uint8Array).check(z.refine((value) => value.byteLength === length, `not ${String(length)} bytes`))
}

/** A string of at most `maxLength` UTF-16 units. */
export function text(maxLength: number): z.ZodMiniString {
  return z.string().check(z.maxLength(maxLength))
}

/** A list of at most `maxItems`. */
export function list<Item extends z.ZodMiniType>(item: Item, maxItems: number): z.ZodMiniArray<Item> {
  return z.array(item).check(z.maxLength(maxItems))
}

/** A whole number from 0 to `max`: a count, a size, a time. */
export function whole(max: number = Number.MAX_SAFE_INTEGER): z.ZodMiniNumber {
  return z.int().check(z.gte(0), z.lte(max))
}

/** A finite number from `min` to `max`. */
export function range(min: number, max: number): z.ZodMiniNumber {
  return z.number().check(z.gte(min), z.lte(max))
}

const BASE58 = /^[1-9A-HJ-NP-Za-km-z]+$/

/** A peer id in base58. That it names a real key is checked where it is used. */
export const deviceId = text(ID_MAX_LENGTH).check(z.regex(BASE58)) as unknown as z.ZodMiniType<DeviceId>

/** A model's name: printable, without control characters. */
export const modelId = text(ID_MAX_LENGTH).check(z.regex(/^[^\p{Cc}]+$/u)) as unknown as z.ZodMiniType<ModelId>

/** A request's name, made by the asking device. */
export const requestId = text(64).check(z.regex(/^[a-z0-9]+$/)) as unknown as z.ZodMiniType<RequestId>

/** An invitation's name: 32 lower-case hex digits. */
export const invitationId = text(32).check(z.regex(/^[0-9a-f]{32}$/)) as unknown as z.ZodMiniType<InvitationId>

/** A person's id: 32 lower-case hex digits. */
export const personId = text(32).check(z.regex(/^[0-9a-f]{32}$/)) as unknown as z.ZodMiniType<PersonId>

/** A room's id: 32 lower-case hex digits. */
export const roomId = text(32).check(z.regex(/^[0-9a-f]{32}$/)) as unknown as z.ZodMiniType<RoomId>

/** The name of a ledger entry: 64 lower-case hex digits. */
export const entryHash = text(64).check(z.regex(/^[0-9a-f]{64}$/)) as unknown as z.ZodMiniType<EntryHash>

/** The name of a mesh: the name of its first entry. */
export const meshId = text(64).check(z.regex(/^[0-9a-f]{64}$/)) as unknown as z.ZodMiniType<MeshId>

/** A multiaddr in text form; parsed and filtered before it is dialled. */
export const address = text(512)
