import * as cbor from '@ipld/dag-cbor'
import * as z from 'zod/mini'
import {
  ERROR_CODES,
  ID_MAX_LENGTH,
  messageOf,
  ROOM_ATTACHMENTS_MAX,
  ROOM_HEADS_MAX,
  ROOM_IMPORTED_NAME_MAX_LENGTH,
  ROOM_MENTIONS_MAX,
  ROOM_MISSING_MAX,
  ROOM_NAME_MAX_LENGTH,
  ROOM_OPERATION_MAX_BYTES,
  ROOM_ORDER_MAX,
  ROOM_PART_MAX_LENGTH,
  ROOM_SPANS_MAX,
  ROOM_TEXT_MAX_LENGTH,
  type MessageId,
  type PersonId,
} from '../../base/index.ts'
import { cleanName } from '../../identity/index.ts'
import { roomId } from '../../wire/index.ts'
import { ANSWER_MAX_LENGTH } from '../limits.ts'
import { encodable, figures, ID_FORM, idText, route } from '../operations.ts'

/** The version written into every operation of a room. A higher one is kept and skipped. */
export const ROOM_OPERATION_VERSION = 1

const messageId = idText as unknown as z.ZodMiniType<MessageId>
const personId = z.string().check(z.regex(/^[0-9a-f]{32}$/)) as unknown as z.ZodMiniType<PersonId>
const order = z.int().check(z.gte(0), z.lte(ROOM_ORDER_MAX))
const heads = z.readonly(z.array(messageId).check(z.maxLength(ROOM_HEADS_MAX)))
/** Of its kind, what its author had seen and what claims a place that is not before it: it comes after these. */
const after = z.optional(heads)
/** From one message to another of the same author, in the common order. */
const span = z.readonly(z.tuple([messageId, messageId]))
const attachment = z.object({
  name: z.string().check(z.minLength(1), z.maxLength(200)),
  sizeBytes: z.int().check(z.gte(0)),
  sha256: z.string().check(z.regex(/^[0-9a-f]{64}$/)),
  type: z.string().check(z.maxLength(100)),
})
const mention = z.union([z.literal('ai'), personId])
const fault = z.object({
  code: z.catch(z.enum(ERROR_CODES), 'bug'),
  message: z.string().check(z.maxLength(2_000)),
})
/** What an importing device says of a message it wrote down again. Nothing of it is proven. */
const imported = z.object({
  id: messageId,
  author: z.pipe(
    z.string().check(z.minLength(1), z.maxLength(ROOM_IMPORTED_NAME_MAX_LENGTH)),
    z.transform((name) => cleanName(name, ROOM_IMPORTED_NAME_MAX_LENGTH) || 'Someone'),
  ),
  device: z.string().check(z.maxLength(ID_MAX_LENGTH)),
  writtenAt: z.int().check(z.gte(0), z.lte(ROOM_ORDER_MAX)),
})
/** As it may be shown, whoever wrote it: no control characters and none that turn the direction of the text. */
const roomName = z.pipe(
  z.pipe(
    z.string().check(z.maxLength(ROOM_NAME_MAX_LENGTH)),
    z.transform((name) => cleanRoomName(name)),
  ),
  z.string().check(z.minLength(1)),
)
const length = z.int().check(z.gte(0), z.lte(ANSWER_MAX_LENGTH))

const v = z.literal(ROOM_OPERATION_VERSION)

const operationSchema = z.discriminatedUnion('op', [
  z.object({ v, op: z.literal('say'), order, parents: heads, imported: z.optional(imported) }),
  z.object({
    v,
    op: z.literal('text'),
    order,
    after,
    message: messageId,
    text: z.string().check(z.maxLength(ROOM_TEXT_MAX_LENGTH)),
    mentions: z.optional(z.readonly(z.array(mention).check(z.maxLength(ROOM_MENTIONS_MAX)))),
    attachments: z.optional(z.readonly(z.array(attachment).check(z.maxLength(ROOM_ATTACHMENTS_MAX)))),
  }),
  z.object({ v, op: z.literal('delete'), order, message: messageId }),
  z.object({ v, op: z.literal('answer'), order, parents: heads, question: messageId, imported: z.optional(imported) }),
  z.object({ v, op: z.literal('route'), answer: messageId, route }),
  z.object({
    v,
    op: z.literal('part'),
    answer: messageId,
    from: length,
    text: z.string().check(z.maxLength(ROOM_PART_MAX_LENGTH)),
  }),
  z.object({
    v,
    op: z.literal('end'),
    answer: messageId,
    state: z.enum(['done', 'stopped', 'failed']),
    length,
    figures,
    error: z.optional(fault),
  }),
  z.object({ v, op: z.literal('stop'), order, answer: messageId }),
  z.object({ v, op: z.literal('hide'), order, after, answer: messageId, hidden: z.boolean() }),
  z.object({
    v,
    op: z.literal('name'),
    order,
    after,
    name: roomName,
  }),
  // a rule of a newer version must not be read as one of these, so an unknown one is skipped whole
  z.object({ v, op: z.literal('rule'), order, after, rule: z.enum(['when-asked', 'every-message']) }),
  z.object({
    v,
    op: z.literal('read'),
    heads,
    missing: z.readonly(z.array(messageId).check(z.maxLength(ROOM_MISSING_MAX))),
    spans: z.optional(z.readonly(z.array(span).check(z.maxLength(ROOM_SPANS_MAX)))),
  }),
  z.object({ v, op: z.literal('origin'), room: roomId }),
])

/**
 * Everything that can happen in a room, docs/protocols/rooms.md. The id of a `say`
 * or `answer` operation is the id of the message. Closed: a new one means a new version.
 */
export type RoomOperation = z.infer<typeof operationSchema>
/** The operation of one name. */
export type RoomOperationOf<Name extends RoomOperation['op']> = Extract<RoomOperation, { op: Name }>
/** An operation without its version. */
export type RoomHappening = RoomOperation extends infer Each
  ? Each extends RoomOperation
    ? Omit<Each, 'v'>
    : never
  : never
/** Who wrote a message before it was imported, in the words of whoever imported it. */
export type Imported = z.infer<typeof imported>
/** A file a message refers to; its bytes travel elsewhere. */
export type Attachment = z.infer<typeof attachment>
/** Whom a message addresses. */
export type Mention = z.infer<typeof mention>
/** When the AI speaks in a room: when it is addressed, or after every message. */
export type RoomRule = RoomOperationOf<'rule'>['rule']

/** What the bytes of an operation turned out to be. */
export type DecodedRoomOperation =
  | { readonly kind: 'operation'; readonly operation: RoomOperation }
  | { readonly kind: 'newer' }
  | { readonly kind: 'corrupt'; readonly reason: string }

const KNOWN: ReadonlySet<string> = new Set<RoomOperation['op']>([
  'say',
  'text',
  'delete',
  'answer',
  'route',
  'part',
  'end',
  'stop',
  'hide',
  'name',
  'rule',
  'read',
  'origin',
])

/** The bytes of an operation (dag-cbor, canonical). */
export function encodeRoomOperation(happening: RoomHappening): Uint8Array<ArrayBuffer> {
  return new Uint8Array(cbor.encode(encodable({ v: ROOM_OPERATION_VERSION, ...happening })))
}

/** Reads bytes of any member. Bounded first; never throws. */
export function decodeRoomOperation(bytes: Uint8Array): DecodedRoomOperation {
  if (bytes.byteLength > ROOM_OPERATION_MAX_BYTES) return corrupt(`operation of ${String(bytes.byteLength)} bytes`)
  let value: unknown
  try {
    value = cbor.decode(bytes)
  } catch (error) {
    return corrupt(messageOf(error).slice(0, 200))
  }
  if (typeof value !== 'object' || value === null || !('v' in value) || !('op' in value)) return corrupt('no version')
  const { v: version, op } = value
  if (typeof version !== 'number' || !Number.isSafeInteger(version) || version < 1 || typeof op !== 'string') {
    return corrupt('no version')
  }
  if (version > ROOM_OPERATION_VERSION || !KNOWN.has(op)) return { kind: 'newer' }
  const parsed = z.safeParse(operationSchema, value)
  if (parsed.success) return { kind: 'operation', operation: parsed.data }
  return corrupt(`${op}: field ${parsed.error.issues[0]?.path.map(String).join('.') ?? ''}`)
}

/** The name of a room as it may be shown; empty when nothing is left. */
export function cleanRoomName(name: string): string {
  return cleanName(name, ROOM_NAME_MAX_LENGTH)
}

/** True for texts that can be the id of an operation. Others are not looked at. */
export function isRoomOperationId(id: string): id is MessageId {
  return ID_FORM.test(id)
}

function corrupt(reason: string): DecodedRoomOperation {
  return { kind: 'corrupt', reason }
}
