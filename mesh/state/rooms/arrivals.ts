import * as z from 'zod/mini'
import {
  asMeshError,
  type Clock,
  type Logger,
  type MeshError,
  type MessageId,
  type RoomId,
  type Store,
} from '../../base/index.ts'
import { decode, encode } from '../../wire/index.ts'
import type { MessageNode } from './fold.ts'
import { ARRIVALS_RECORD_MAX_BYTES, LATE_AFTER_MS, SETTLED_AFTER_MS } from './limits.ts'
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
const recordSchema = z.object({ at: z.number(), live: z.boolean(), messages: z.string() })
/** Ids in one record, so that it stays below its bound. */
const IDS_PER_RECORD = 500

/** Opens the record of a room. @throws MeshError of the Store. */
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
  const name = `rooms/${room}/arrivals`
  const known = new Map<MessageId, Arrival>()
  let batch = 0
  let writing: Promise<unknown> = Promise.resolve()
  const take = (messages: readonly string[], at: number, live: boolean): void => {
    batch += 1
    for (const id of messages) if (!known.has(id as MessageId)) known.set(id as MessageId, { at, batch, live })
  }
  for (const entry of await ports.store.readLog(name, 0, options)) {
    try {
      const { at, live, messages } = decode(entry.bytes, recordSchema, {
        maxBytes: ARRIVALS_RECORD_MAX_BYTES,
        what: 'A record of arrivals',
      })
      take(messages.split(' '), at, live)
    } catch (error) {
      // it costs the mark "late" of a few messages, and never a message
      ports.log.warn('a record of arrivals could not be read', { room, error: asMeshError(error).code })
    }
  }
  return {
    get: (message) => known.get(message),
    note(messages, live) {
      const fresh = messages.filter((id) => !known.has(id))
      if (fresh.length === 0) return
      const at = ports.clock.now()
      take(fresh, at, live)
      const records: Uint8Array[] = []
      for (let start = 0; start < fresh.length; start += IDS_PER_RECORD) {
        records.push(encode({ at, live, messages: fresh.slice(start, start + IDS_PER_RECORD).join(' ') }))
      }
      writing = writing
        .then(() => ports.store.append(name, records))
        .catch((error: unknown) => {
          ports.problem(asMeshError(error, 'storage-failed'))
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
    const { at } = message.head
    const inserted = anchor !== undefined && anchor.batch < arrival.batch && isSettled(anchor, arrival)
    const inTouch = arrival.live && hasWithin(inTouchAt, at + LATE_AFTER_MS, arrival.at - LATE_AFTER_MS)
    if (inserted || inTouch) {
      late.set(message.id, { writtenAt: at, arrivedAt: arrival.live ? arrival.at : undefined })
    }
  }
  return late
}

function isFresh(message: MessageNode, arrival: Arrival): boolean {
  return arrival.at - message.head.at < LATE_AFTER_MS
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
