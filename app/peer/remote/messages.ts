import * as z from 'zod/mini'
import { list, text, whole } from '../../../mesh/wire/index.ts'
import { EVENTS_AT_ONCE, ITEMS_MAX, ROOMS_WANTED_MAX, STREAM_CREDIT } from './limits.ts'
import { attention, items, names, people, personId, roomHead, roomId, summaries } from './room-schemas.ts'
import { chatId, count, liveAnswer, messageId, wireError } from './schemas.ts'

// The words between the tabs of one profile. `from`, `to` and `epoch` are on each: a
// tab answers only what is for it and for the term it leads, so that one that slept
// through its own replacement stays silent.

const tab = text(64)
const epoch = whole()
const head = { from: tab, to: tab, epoch }
const id = whole()
const member = text(64)

/** What a tab says to the one that leads. */
export const requestSchema = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('call'),
    ...head,
    id,
    name: member,
    args: list(z.unknown(), 8),
    options: z.unknown(),
    /** Which functions among the options are listened for. */
    taps: list(member, 4),
    /** ms since 1970; after it nobody waits for the call any more. */
    takenBy: z.number(),
  }),
  z.object({ type: z.literal('cancel'), ...head, id }),
  z.object({ type: z.literal('grant'), ...head, id, count: whole(STREAM_CREDIT) }),
  z.object({ type: z.literal('attach'), ...head }),
  /** The rooms this tab has open from now on, and how they are before the person's eyes. */
  z.object({
    type: z.literal('wants'),
    ...head,
    rooms: list(z.object({ room: roomId, attention }), ROOMS_WANTED_MAX),
  }),
])
/** One of {@link requestSchema}. */
export type Request = z.infer<typeof requestSchema>
/** A request to do something. */
export type CallRequest = Extract<Request, { type: 'call' }>

/** What the tab that leads says to one that asked. */
export const replySchema = z.discriminatedUnion('type', [
  /** The call has come; its result follows. */
  z.object({ type: z.literal('taken'), ...head, id }),
  z.object({ type: z.literal('tap'), ...head, id, name: member, value: z.unknown() }),
  z.object({ type: z.literal('item'), ...head, id, value: z.unknown() }),
  /** The result of a call, or the end of a stream. */
  z.object({ type: z.literal('done'), ...head, id, value: z.unknown() }),
  z.object({ type: z.literal('failed'), ...head, id, error: wireError }),
])
/** One of {@link replySchema}. */
export type Reply = z.infer<typeof replySchema>

/** An answer on its way, with what of its text the others may not have. */
const toldAnswer = z.object({
  live: liveAnswer,
  /** Where in the whole text `text` begins, in UTF-16 units. */
  at: whole(),
  text: z.string(),
})

/** News of rooms: what is another than it was told before. */
const roomsTold = z.object({
  members: z.object({
    self: z.optional(personId),
    list: z.optional(summaries),
    people: z.optional(people),
    known: z.optional(names),
  }),
  /** Lines of open rooms: so many stay at the beginning and at the end, `items` stand between. */
  views: list(z.object({ head: roomHead, before: count, after: count, items }), ROOMS_WANTED_MAX),
  gone: list(roomId, ROOMS_WANTED_MAX),
  problems: list(wireError, ITEMS_MAX),
})
/** News of rooms. */
export type RoomsTold = z.infer<typeof roomsTold>

/** News of the tab that leads. `to` absent: for all others. */
export const toldSchema = z.object({
  type: z.literal('told'),
  from: tab,
  to: z.optional(tab),
  epoch,
  /** Counts up by one over what is told to all; one told to a single tab carries the number of the last. */
  sequence: whole(),
  peer: z.object({ running: z.boolean(), problem: z.optional(wireError) }),
  /** Of the mesh: what changed of the snapshots, and the events after that. */
  snapshots: z.record(member, z.unknown()),
  events: list(z.unknown(), EVENTS_AT_ONCE),
  answers: list(toldAnswer, ITEMS_MAX),
  ended: list(z.object({ chat: chatId, message: messageId }), ITEMS_MAX),
  rooms: z.optional(roomsTold),
})
/** News of the tab that leads. */
export type Told = z.infer<typeof toldSchema>
