import * as z from 'zod/mini'
import { asId, ERROR_CODES, type MessageId, type PersonId, type RoomId } from '../../../mesh/base/index.ts'
import type { RoomDevice, RoomNames, RoomPerson } from '../../../mesh/rooms-types.ts'
import {
  ANSWER_MAX_LENGTH,
  type Attachment,
  type Delivery,
  type Late,
  type Mention,
  type Once,
  type Receipts,
  type RoomAnswer,
  type RoomGap,
  type RoomHistory,
  type RoomItem,
  type RoomLine,
  type RoomMessage,
  type RoomRecord,
  type RoomRule,
  type Rooms,
  type RoomSeam,
  type RoomSearch,
  type RoomSummary,
  type RoomView,
  type SayOptions,
} from '../../../mesh/state/index.ts'
import { text } from '../../../mesh/wire/index.ts'
import {
  askPhase,
  count,
  deviceId,
  deviceState,
  figure,
  is,
  line,
  many,
  messageId,
  name,
  object,
  one,
  optional,
  route,
  usage,
  yesNo,
} from './schemas.ts'
import type { Schema } from './shape.ts'

// What of rooms crosses between tabs, held against its types as in schemas.ts.

type Options<Given> = Omit<Given, 'signal'>

/** The id of a room. */
export const roomId: Schema<RoomId> = z.pipe(
  name(),
  z.transform((value) => asId<RoomId>(value)),
)
/** The id of a person; empty: a device that belongs to nobody. */
export const personId: Schema<PersonId> = z.pipe(
  text(32).check(z.regex(/^([0-9a-f]{32})?$/)),
  z.transform((value) => asId<PersonId>(value)),
)
/** Several messages. */
export const messages: Schema<readonly MessageId[]> = many(messageId)
/** How a room is before a person's eyes. */
export const attention = one<Parameters<Rooms['attend']>[1]>({ typing: true, here: true, away: true })

const words = text(ANSWER_MAX_LENGTH)
const history = one<RoomHistory>({ all: true, joining: true })
/** When the AI speaks. */
export const rule = one<RoomRule>({ 'when-asked': true, 'every-message': true })
const mentions = many<Mention>(z.union([z.literal('ai'), personId]))
const attachments = many(object<Attachment>({ name: line, sizeBytes: count, sha256: line, type: line }))

// ---- what is wished ----

/** A new room. */
export const createOptions = object<Options<Parameters<Rooms['create']>[0]>>({
  name: line,
  people: many(personId),
  history,
})
/** Other words for a message. */
export const editOptions = object<Options<SayOptions>>({
  mentions: optional(mentions),
  attachments: optional(attachments),
})
/** For what is added. */
export const once = object<Options<Once>>({ key: optional(line) })
/** A message. */
export const sayOptions = object<Options<SayOptions & Once>>({
  mentions: optional(mentions),
  attachments: optional(attachments),
  key: optional(line),
})
/** Where to look for words. */
export const searchIn = object<{ readonly room?: RoomId | undefined }>({ room: optional(roomId) })

// ---- what is told ----

/** People, as rooms name them. */
export const people = many(object<RoomPerson>({ id: personId, name: line }))
/** Everybody and everything rooms may name. */
export const names = object<RoomNames>({
  people,
  devices: many(
    object<RoomDevice>({ id: deviceId, name: line, person: optional(personId), state: deviceState, answers: yesNo }),
  ),
})
const last = object<NonNullable<RoomSummary['last']>>({ person: optional(personId), ai: yesNo, excerpt: line })
const summary = {
  id: roomId,
  name: line,
  people: many(personId),
  unread: count,
  last: optional(last),
  updatedAt: figure,
}
/** The list of rooms. */
export const summaries = many(object<RoomSummary>(summary))

const record = object<RoomRecord>({
  id: roomId,
  history,
  createdAt: figure,
  createdBy: personId,
  madeOn: optional(deviceId),
  people: many(object<RoomRecord['people'][number]>({ person: personId, since: figure })),
  devices: many(deviceId),
})
/** A room without its lines. */
export const roomHead = object<Omit<RoomView, 'items'>>({
  ...summary,
  record,
  rule,
  firstUnread: optional(messageId),
  typing: many(personId),
  present: many(personId),
  health: object<RoomView['health']>({ corruptOperations: count, newerOperations: count }),
})

/** One object per `kind`; a member of the union without a line does not compile. */
function kinds<Value extends { readonly kind: string }>(members: {
  readonly [Kind in Value['kind']]: Schema<Extract<Value, { readonly kind: Kind }>>
}): Schema<Value> {
  return z.discriminatedUnion(
    'kind',
    Object.values(members) as unknown as [z.ZodMiniObject],
  ) as unknown as Schema<Value>
}

type DeliveryOf<Kind extends Delivery['kind']> = Extract<Delivery, { readonly kind: Kind }>
const delivery = kinds<Delivery>({
  saved: object<DeliveryOf<'saved'>>({ kind: is('saved'), of: count }),
  spread: object<DeliveryOf<'spread'>>({ kind: is('spread'), devices: many(deviceId), of: count }),
  seen: object<DeliveryOf<'seen'>>({ kind: is('seen'), people: many(personId), devices: many(deviceId), of: count }),
})
const lateFields = { writtenAt: figure, arrivedAt: optional(figure) }
const entry = {
  id: messageId,
  device: deviceId,
  writtenAt: figure,
  late: optional(object<Late>(lateFields)),
  unread: yesNo,
}
const imported = object<NonNullable<RoomMessage['imported']>>({
  id: messageId,
  author: line,
  device: line,
  writtenAt: figure,
})
const fault = object<NonNullable<RoomAnswer['error']>>({ code: z.enum(ERROR_CODES), message: line })
const messageState = one<RoomMessage['state']>({ here: true, deleted: true, coming: true })
const answerState = one<RoomAnswer['state']>({
  waiting: true,
  streaming: true,
  done: true,
  stopped: true,
  failed: true,
  interrupted: true,
})
/** The lines of a room. */
export const items = many(
  kinds<RoomItem>({
    message: object<RoomMessage>({
      ...entry,
      imported: optional(imported),
      kind: is('message'),
      person: optional(personId),
      own: yesNo,
      state: messageState,
      text: words,
      mentions,
      attachments,
      edited: yesNo,
      delivery: optional(delivery),
    }),
    answer: object<RoomAnswer>({
      ...entry,
      imported: optional(imported),
      kind: is('answer'),
      question: messageId,
      asker: optional(personId),
      writingHere: yesNo,
      state: answerState,
      text: words,
      route: optional(route),
      figures: optional(
        object<NonNullable<RoomAnswer['figures']>>({
          usage,
          firstTokenMs: figure,
          tokensPerSecond: figure,
          bytesSent: figure,
        }),
      ),
      phase: optional(askPhase),
      error: optional(fault),
      stoppedBy: optional(personId),
      hiddenBy: optional(personId),
      unsaved: optional(z.literal(true)),
    }),
    gap: object<RoomGap>({
      kind: is('gap'),
      id: line,
      reason: one<RoomGap['reason']>({ 'before-joining': true, fetching: true }),
      count,
      since: optional(figure),
    }),
    seam: object<RoomSeam>({ kind: is('seam'), id: line, device: deviceId, count, ...lateFields }),
  }),
)

// ---- what is looked up ----

/** Who has a message. */
export const receipts = object<Receipts>({
  devices: many(object<Receipts['devices'][number]>({ device: deviceId, holds: yesNo })),
  seenBy: many(personId),
})
/** What a search found. */
export const search = object<RoomSearch>({
  found: many(object<RoomSearch['found'][number]>({ room: roomId, message: messageId, excerpt: line })),
  whole: yesNo,
})
/** Messages for programs. */
export const lines = many(
  object<RoomLine>({
    id: messageId,
    author: line,
    device: deviceId,
    text: words,
    writtenAt: figure,
    imported: optional(imported),
    state: one<RoomLine['state']>({
      saved: true,
      spread: true,
      seen: true,
      deleted: true,
      coming: true,
      waiting: true,
      streaming: true,
      done: true,
      stopped: true,
      failed: true,
      interrupted: true,
    }),
  }),
)
