import { ROOM_ORDER_MAX } from '../../base/index.ts'
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
