import { ROOM_ORDER_MAX } from '../../base/index.ts'

/** Where something stands in the common order of a room: by `order`, ties by `id`. */
export interface Place {
  /** ms, at least one more than everything its author had seen. */
  readonly order: number
  readonly id: string
}

/** Below zero when `a` stands before `b`. The same on every device. */
export function comparePlaces(a: Place, b: Place): number {
  return a.order - b.order || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0)
}

/**
 * The order of what is written now: the time, but after everything seen. A wrong
 * clock can therefore misplace what is concurrent and never turn cause and effect
 * round. At the greatest order it stays, and ids decide: a clock of the year 3000
 * must not leave the others without a number to follow with.
 */
export function nextOrder(nowMs: number, lastSeen: number): number {
  return Math.min(Math.max(Math.floor(nowMs), lastSeen + 1, 0), ROOM_ORDER_MAX)
}
