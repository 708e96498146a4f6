import * as z from 'zod/mini'
import {
  asMeshError,
  getWhole,
  wholeEntries,
  type Clock,
  type Logger,
  type MeshError,
  type MessageId,
  type RoomId,
  type Store,
} from '../../base/index.ts'
import { decode, encode } from '../../wire/index.ts'
import type { MessageNode } from './fold.ts'
import {
  ARRIVALS_ENTRY_MAX_BYTES,
  ARRIVALS_GATHERED_MAX_BYTES,
  ARRIVALS_LOG_MAX,
  LATE_AFTER_MS,
  SETTLED_AFTER_MS,
} from './limits.ts'
import type { Late } from './rooms.ts'

/** When a message came to this device, by its own record. */
export interface Arrival {
  /** ms since 1970. For what was found when the room was opened: then at the latest. */
  readonly at: number
  /** Counts up: what came together has the same. */
  readonly batch: number
  /** False: it was found there when the room was opened. */
  readonly live: boolean
}

/** The record of arrivals of one room. */
export interface Arrivals {
  get(message: MessageId): Arrival | undefined
  /** Takes down what is not known yet, now. Durable soon after; a failing store is told and costs only the mark. */
  note(messages: readonly MessageId[], live: boolean): void
  /** Resolves when what was noted is durable or given up. */
  settled(): Promise<void>
}

// ids as one text: ten thousand are written when a long room is first opened
const entrySchema = z.object({ at: z.number(), live: z.boolean(), messages: z.string() })
// by columns, and for the same reason: a conversation is a batch per message
const gatheredSchema = z.object({
  at: z.array(z.number()),
  live: z.array(z.boolean()),
  count: z.array(z.number()),
  messages: z.string(),
})
/** Ids in one entry of the log, so that it stays below its bound. */
const IDS_PER_ENTRY = 500

/** What came together. */
interface Batch {
  readonly at: number
  readonly live: boolean
  readonly messages: readonly MessageId[]
}

/**
 * Opens the record of a room. What comes is appended to a log, and the log now and then
 * gathered into one value: a conversation is an entry per message, and opening a room
 * must not read ten thousand of them. @throws MeshError of the Store.
 */
export async function openArrivals(
  ports: {
    readonly store: Store
    readonly clock: Clock
    readonly log: Logger
    problem(error: MeshError): void
  },
  room: RoomId,
  options: { readonly signal?: AbortSignal | undefined } = {},
): Promise<Arrivals> {
  const { store, log } = ports
  const name = `rooms/${room}/arrivals`
  // beside the rooms, whose records are all read for the list
  const gatheredKey = `arrivals/${room}`
  const known = new Map<MessageId, Arrival>()
  const batches: Batch[] = []
  let writing: Promise<unknown> = Promise.resolve()

  const take = ({ at, live, messages }: Batch): void => {
    // what was gathered may be in the log yet
    const fresh = messages.filter((id) => !known.has(id))
    if (fresh.length === 0) return
    const batch = batches.push({ at, live, messages: fresh })
    for (const id of fresh) known.set(id, { at, batch, live })
  }
  const reading = (work: () => void): void => {
    try {
      work()
    } catch (error) {
      // it costs the mark "late" of some messages, and never a message
      log.warn('a record of arrivals could not be read', { room, error: asMeshError(error).code })
    }
  }
  const idsIn = (text: string): MessageId[] => text.split(' ') as MessageId[]

  const gathered = await getWhole(store, gatheredKey, log, options)
  if (gathered !== undefined)
    reading(() => {
      const limits = { maxBytes: ARRIVALS_GATHERED_MAX_BYTES, what: 'The arrivals of a room' }
      const { at, live, count, messages } = decode(gathered, gatheredSchema, limits)
      const ids = idsIn(messages)
      let from = 0
      at.forEach((arrivedAt, index) => {
        const to = from + (count[index] ?? 0)
        take({ at: arrivedAt, live: live[index] === true, messages: ids.slice(from, to) })
        from = to
      })
    })
  const entries = await store.readLog(name, 0, options)
  for (const entry of wholeEntries(name, entries, log))
    reading(() => {
      const limits = { maxBytes: ARRIVALS_ENTRY_MAX_BYTES, what: 'An entry of arrivals' }
      const { at, live, messages } = decode(entry.bytes, entrySchema, limits)
      take({ at, live, messages: idsIn(messages) })
    })
  let logged = entries.length

  /** A kill between the two writes leaves some twice, which is the same as once. */
  const gather = async (): Promise<void> => {
    const value: z.output<typeof gatheredSchema> = {
      at: batches.map(({ at }) => at),
      live: batches.map(({ live }) => live),
      count: batches.map(({ messages }) => messages.length),
      messages: batches.flatMap(({ messages }) => messages).join(' '),
    }
    await store.put(gatheredKey, encode(value))
    await store.dropLog(name)
    logged = 0
  }

  const inTurn = (work: () => Promise<void>): void => {
    writing = writing
      .then(async () => {
        await work()
        // of a long record not for every few: the whole is written each time
        if (logged >= Math.max(ARRIVALS_LOG_MAX, batches.length / 16)) await gather()
      })
      .catch((error: unknown) => {
        ports.problem(asMeshError(error, 'storage-failed'))
      })
  }
  // an earlier version gathered nothing
  if (logged >= ARRIVALS_LOG_MAX) inTurn(() => Promise.resolve())

  return {
    get: (message) => known.get(message),
    note(messages, live) {
      const fresh = messages.filter((id) => !known.has(id))
      if (fresh.length === 0) return
      const at = ports.clock.now()
      take({ at, live, messages: fresh })
      const added: Uint8Array[] = []
      for (let start = 0; start < fresh.length; start += IDS_PER_ENTRY) {
        added.push(encode({ at, live, messages: fresh.slice(start, start + IDS_PER_ENTRY).join(' ') }))
      }
      inTurn(async () => {
        await store.append(name, added)
        logged += added.length
      })
    },
    async settled() {
      await writing
    },
  }
}

/**
 * Which messages took their place above what was already here, or came while this
 * device was in touch with the room and their author was not. Catching up after an
 * absence of this device's own makes nothing late: everything came at once then.
 */
export function findLate(
  messages: readonly MessageNode[],
  arrivals: Pick<Arrivals, 'get'>,
  isOwn: (message: MessageNode) => boolean,
): ReadonlyMap<MessageId, Late> {
  const late = new Map<MessageId, Late>()
  const inTouchAt: number[] = []
  for (const message of messages) {
    const arrival = arrivals.get(message.id)
    if (arrival?.live === true && !isOwn(message) && isFresh(message, arrival)) inTouchAt.push(arrival.at)
  }
  inTouchAt.sort((a, b) => a - b)
  /** The earliest arrival among own and fresh messages further down. */
  let anchor: Arrival | undefined
  for (let index = messages.length - 1; index >= 0; index--) {
    const message = messages[index]
    const arrival = message && arrivals.get(message.id)
    if (message === undefined || arrival === undefined) continue
    const own = isOwn(message)
    if (own || (arrival.live && isFresh(message, arrival))) {
      if (anchor === undefined || arrival.batch < anchor.batch) anchor = arrival
      continue
    }
    const at = claimedAt(message)
    const inserted = anchor !== undefined && anchor.batch < arrival.batch && isSettled(anchor, arrival)
    const inTouch = arrival.live && hasWithin(inTouchAt, at + LATE_AFTER_MS, arrival.at - LATE_AFTER_MS)
    if (inserted || inTouch) {
      late.set(message.id, { writtenAt: at, arrivedAt: arrival.live ? arrival.at : undefined })
    }
  }
  return late
}

function isFresh(message: MessageNode, arrival: Arrival): boolean {
  return arrival.at - claimedAt(message) < LATE_AFTER_MS
}

/**
 * When its author says it was written, by its date or by its place, whichever is earlier: who dates it now and
 * places it among what was said before puts it there all the same. What was imported keeps its place, and is
 * shown as that.
 */
function claimedAt({ head: { at, operation } }: MessageNode): number {
  return operation.imported === undefined ? Math.min(at, operation.order) : at
}

function isSettled(anchor: Arrival, arrival: Arrival): boolean {
  return !arrival.live || arrival.at - anchor.at >= SETTLED_AFTER_MS
}

/** True when a sorted list has a value from `low` to `high`. */
function hasWithin(sorted: readonly number[], low: number, high: number): boolean {
  let from = 0
  let to = sorted.length
  while (from < to) {
    const middle = (from + to) >>> 1
    if ((sorted[middle] ?? 0) < low) from = middle + 1
    else to = middle
  }
  const first = sorted[from]
  return first !== undefined && first <= high
}
