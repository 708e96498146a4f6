import { ROOM_AHEAD_MS, ROOM_ORDER_MAX } from '../../base/index.ts'
import type { Leveled } from '../levels.ts'

/** Where something stands in the common order of a room: by `level`, then by `order`, ties by `id`. */
export interface Place extends Readonly<Leveled> {
  /** ms, at least one more than everything its author had seen and that may be true. */
  readonly order: number
  readonly id: string
}

/** Below zero when `a` stands before `b`. The same on every device. */
export function comparePlaces(a: Place, b: Place): number {
  return a.level - b.level || a.order - b.order || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0)
}

/**
 * The order of what is written now: the time, but after everything seen. A wrong
 * clock can therefore misplace what is concurrent and never turn cause and effect
 * round. At the greatest order it stays: there, and beside what claims to be of another
 * day, what was seen is named, and levels decide.
 */
export function nextOrder(nowMs: number, lastSeen: number): number {
  return Math.min(Math.max(Math.floor(nowMs), lastSeen + 1, 0), ROOM_ORDER_MAX)
}

/** The greatest order that is believed at this time: what is further ahead is followed by nobody. */
export function latestOrder(nowMs: number): number {
  return Math.floor(nowMs) + ROOM_AHEAD_MS
}

/** The orders of everything that was seen, whether they may be true or not. */
export interface OrdersSeen {
  add(order: number): void
  /** The greatest of them that is not above `latest`, or was not in an earlier call. */
  lastUpTo(latest: number): number
}

/** None yet. */
export function createOrdersSeen(): OrdersSeen {
  let last = 0
  let limit = -Infinity
  let ahead: number[] = []
  return {
    add(order) {
      if (order > limit) ahead.push(order)
      else last = Math.max(last, order)
    },
    lastUpTo(latest) {
      limit = Math.max(limit, latest)
      const further: number[] = []
      for (const order of ahead) {
        if (order > limit) further.push(order)
        else last = Math.max(last, order)
      }
      ahead = further
      return last
    },
  }
}
