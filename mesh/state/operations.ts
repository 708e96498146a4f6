import * as cbor from '@ipld/dag-cbor'
import * as z from 'zod/mini'
import {
  asId,
  CHAT_AFTER_MAX,
  ERROR_CODES,
  messageOf,
  type ChatId,
  type DeviceId,
  type MessageId,
  type ModelId,
} from '../base/index.ts'
import { bytes } from '../wire/index.ts'
import { ANSWER_MAX_LENGTH, ENTRY_MAX_BYTES, QUESTION_MAX_LENGTH, TITLE_MAX_LENGTH } from './limits.ts'

/** The version written into every entry. A higher one is kept and skipped. */
export const OPERATION_VERSION = 1

/** The form of every id this peer makes. */
export const ID_FORM: RegExp = /^[a-z0-9][a-z0-9-]{0,63}$/
export const idText = z.string().check(z.regex(ID_FORM))
const chatId = z.pipe(
  idText,
  z.transform((value) => asId<ChatId>(value)),
)
const messageId = z.pipe(
  idText,
  z.transform((value) => asId<MessageId>(value)),
)
const modelId = z.pipe(
  z.string().check(z.minLength(1), z.maxLength(200)),
  z.transform((value) => asId<ModelId>(value)),
)
const deviceId = z.pipe(
  z.string().check(z.minLength(1), z.maxLength(128)),
  z.transform((value) => asId<DeviceId>(value)),
)
const name = z.string().check(z.maxLength(200))
const figure = z.number().check(z.minimum(0), z.maximum(1e15))

const scoreSchema = z.object({
  rttMs: figure,
  queueMs: figure,
  loadMs: figure,
  prefillMs: figure,
  decodeTokensPerSecond: figure,
  firstTokenMs: figure,
})

const candidateFields = z.object({
  device: deviceId,
  deviceName: name,
  model: z.optional(modelId),
  verdict: z.enum(['chosen', 'possible', 'refused']),
  score: z.optional(scoreSchema),
  refusal: z.optional(
    z.enum([
      'not-asked-for',
      'not-in-room',
      'may-not-ask',
      'may-not-answer',
      'no-model',
      'no-engine',
      'model-missing',
      'model-not-ready',
      'unreachable',
    ]),
  ),
})

// `model` is a field that may be undefined, not one that may be absent
const candidateSchema = z.pipe(
  candidateFields,
  z.transform((fields) => ({ ...fields, model: fields.model })),
)

const routeSchema = z.object({
  device: deviceId,
  deviceName: name,
  model: modelId,
  path: z.enum(['self', 'direct', 'relayed', 'none']),
  reason: z.enum(['only-one', 'fastest-first-word', 'asked-for']),
  decidedAt: figure,
  candidates: z.readonly(z.array(candidateSchema).check(z.maxLength(1_000))),
})

const figuresSchema = z.object({
  usage: z.object({ promptTokens: figure, cachedTokens: figure, completionTokens: figure }),
  firstTokenMs: figure,
  tokensPerSecond: figure,
  bytesSent: figure,
})

// a newer word in a route must not cost the text it stands beside, so these fall back to absent
/** Which device answers and why; absent where it cannot be read. */
export const route = z.catch(z.optional(routeSchema), undefined)
/** Figures of an answer; absent where they cannot be read. */
export const figures = z.catch(z.optional(figuresSchema), undefined)

/**
 * `order`: the place in the chat, where the clock of who wrote it was behind what they had seen.
 * `after`: what they had seen though it claims a place that is not before this one.
 */
const shared = {
  v: z.literal(OPERATION_VERSION),
  id: idText,
  at: figure,
  order: z.optional(figure),
  after: z.optional(z.readonly(z.array(idText).check(z.maxLength(CHAT_AFTER_MAX)))),
}

/** An operation by its id; empty for the one that says whether there is the chat. */
const lateKey = z.string().check(z.maxLength(64))

const operationSchema = z.discriminatedUnion('op', [
  z.object({ ...shared, op: z.literal('chat'), chat: chatId }),
  z.object({ ...shared, op: z.literal('deleted'), chat: chatId }),
  z.object({ ...shared, op: z.literal('title'), chat: chatId, title: z.string().check(z.maxLength(TITLE_MAX_LENGTH)) }),
  z.object({ ...shared, op: z.literal('model'), chat: chatId, model: z.nullable(modelId) }),
  z.object({
    ...shared,
    op: z.literal('say'),
    chat: chatId,
    message: messageId,
    parent: z.nullable(messageId),
    text: z.string().check(z.maxLength(QUESTION_MAX_LENGTH)),
  }),
  z.object({ ...shared, op: z.literal('answer'), chat: chatId, message: messageId, parent: messageId }),
  z.object({
    ...shared,
    op: z.literal('end'),
    chat: chatId,
    message: messageId,
    state: z.enum(['done', 'stopped', 'failed']),
    text: z.string().check(z.maxLength(ANSWER_MAX_LENGTH)),
    route,
    figures,
    error: z.optional(
      z.object({ code: z.catch(z.enum(ERROR_CODES), 'bug'), message: z.string().check(z.maxLength(2_000)) }),
    ),
  }),
  z.object({ ...shared, op: z.literal('show'), chat: chatId, message: messageId }),
  z.object({
    ...shared,
    op: z.literal('draft'),
    chat: chatId,
    message: messageId,
    part: z.int().check(z.minimum(0), z.maximum(9_999)),
    text: z.string().check(z.maxLength(ANSWER_MAX_LENGTH)),
    route,
  }),
  // as another device handed it on without having made it; under the id of what it holds
  z.object({ ...shared, op: z.literal('carried'), chat: chatId, by: deviceId, bytes: bytes(ENTRY_MAX_BYTES) }),
  // a note of this device, sent to nobody: of these operations it is known from here on whether they came late
  z.object({ ...shared, op: z.literal('late'), chat: chatId, of: z.readonly(z.array(lateKey)), isLate: z.boolean() }),
])

/** Everything that can happen to a chat. Closed: a new one means a new version. */
export type Operation = z.infer<typeof operationSchema>
/** The operation of one name. */
export type OperationOf<Name extends Operation['op']> = Extract<Operation, { op: Name }>

/** What an entry of the store turned out to be. */
export type Decoded =
  | { readonly kind: 'operation'; readonly operation: Operation }
  | { readonly kind: 'newer' }
  | { readonly kind: 'corrupt'; readonly reason: string }

const KNOWN: ReadonlySet<string> = new Set<Operation['op']>([
  'chat',
  'deleted',
  'title',
  'model',
  'say',
  'answer',
  'end',
  'show',
  'draft',
  'carried',
  'late',
])

/** The bytes of an operation (dag-cbor, canonical). Absent fields are left out; a figure that is no number becomes 0. */
export function encodeOperation(operation: Operation): Uint8Array {
  return cbor.encode(encodable(operation))
}

/** Reads an entry. Never throws: bytes from a disk may be anything. */
export function decodeOperation(entry: Uint8Array | undefined): Decoded {
  if (entry === undefined) return { kind: 'corrupt', reason: 'damaged' }
  if (entry.byteLength > ENTRY_MAX_BYTES)
    return { kind: 'corrupt', reason: `entry of ${String(entry.byteLength)} bytes` }
  let value: unknown
  try {
    value = cbor.decode(entry)
  } catch (error) {
    return { kind: 'corrupt', reason: messageOf(error).slice(0, 200) }
  }
  const head = headOf(value)
  if (head === undefined) return { kind: 'corrupt', reason: 'no version or no name' }
  if (head.v > OPERATION_VERSION || !KNOWN.has(head.op)) return { kind: 'newer' }
  const parsed = z.safeParse(operationSchema, value)
  if (parsed.success) return { kind: 'operation', operation: parsed.data }
  const place = parsed.error.issues[0]?.path.map(String).join('.') ?? ''
  return { kind: 'corrupt', reason: `${head.op}: field ${place}` }
}

/** By hand and before the schema: thousands of entries are read at each start. */
function headOf(value: unknown): { readonly v: number; readonly op: string } | undefined {
  if (typeof value !== 'object' || value === null || !('v' in value) || !('op' in value)) return undefined
  const { v, op } = value
  return Number.isSafeInteger(v) && typeof v === 'number' && v >= 1 && typeof op === 'string' ? { v, op } : undefined
}

/** A value that dag-cbor takes: it knows neither `undefined` nor NaN. */
export function encodable(value: unknown): unknown {
  if (typeof value === 'number') return Number.isFinite(value) ? value : 0
  if (Array.isArray(value)) return value.map(encodable)
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return value
  const entries = Object.entries(value).filter(([, field]) => field !== undefined)
  return Object.fromEntries(entries.map(([key, field]) => [key, encodable(field)]))
}
