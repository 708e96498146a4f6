import type { Clock, PersonId, RoomId } from '../../base/index.ts'
import { LIST_TURN_PAUSE_FACTOR, LIST_TURN_PAUSE_MS, LIST_TURN_REST_FACTOR } from './limits.ts'

/** What rooms that are not open are looked at by. */
export interface CatchingUpPorts {
  readonly clock: Clock
  /** Looks at a room, where there is something that the list does not tell yet; false where there was nothing to do. Never rejects. */
  look(room: RoomId): Promise<boolean>
}

/** Rooms that wait for being looked at. */
export interface CatchingUp {
  /** Something came into a room, of these people. */
  add(room: RoomId, by: Iterable<PersonId | undefined>): void
  stop(): void
}

/**
 * Looks at rooms one after the other, never at two at once. Those who wrote take turns, so that whoever writes
 * into very many rooms holds up nobody else's; and it takes a part of the time there is, whatever is written.
 */
export function createCatchingUp({ clock, look }: CatchingUpPorts): CatchingUp {
  /** By who wrote, whoever waits longest first. */
  const waiting = new Map<PersonId | undefined, Set<RoomId>>()
  const restUntil = new Map<RoomId, number>()
  /** Who wrote into rooms that rest. */
  const resting = new Map<RoomId, { readonly people: Set<PersonId | undefined>; readonly cancel: () => void }>()
  let cancelTurn: (() => void) | undefined
  let isLooking = false
  let isOver = false

  const next = (): RoomId | undefined => {
    const [first] = waiting
    if (first === undefined) return undefined
    const [person, rooms] = first
    const [room] = rooms
    waiting.delete(person)
    if (room !== undefined) rooms.delete(room)
    if (rooms.size > 0) waiting.set(person, rooms)
    return room
  }

  const turn = async (): Promise<void> => {
    const room = next()
    if (room === undefined) return
    isLooking = true
    const startedAt = clock.monotonic()
    const hasLooked = await look(room)
    isLooking = false
    if (!hasLooked) {
      go(0)
      return
    }
    const tookMs = clock.monotonic() - startedAt
    restUntil.set(room, clock.monotonic() + tookMs * LIST_TURN_REST_FACTOR)
    go(Math.max(LIST_TURN_PAUSE_MS, tookMs * LIST_TURN_PAUSE_FACTOR))
  }

  const go = (afterMs: number): void => {
    if (isOver || isLooking || cancelTurn !== undefined || waiting.size === 0) return
    cancelTurn = clock.schedule(afterMs, () => {
      cancelTurn = undefined
      void turn()
    })
  }

  const wait = (room: RoomId, people: Iterable<PersonId | undefined>): void => {
    for (const person of people) {
      const rooms = waiting.get(person) ?? new Set<RoomId>()
      waiting.set(person, rooms.add(room))
    }
    go(LIST_TURN_PAUSE_MS)
  }

  const rest = (room: RoomId, people: Set<PersonId | undefined>, restMs: number): void => {
    const cancel = clock.schedule(restMs, () => {
      resting.delete(room)
      wait(room, people)
    })
    resting.set(room, { people, cancel })
  }

  return {
    add(room, by) {
      if (isOver) return
      const known = resting.get(room)
      if (known !== undefined) {
        for (const person of by) known.people.add(person)
        return
      }
      const restMs = (restUntil.get(room) ?? -Infinity) - clock.monotonic()
      restUntil.delete(room)
      if (restMs > 0) rest(room, new Set(by), restMs)
      else wait(room, by)
    },
    stop() {
      isOver = true
      cancelTurn?.()
      for (const { cancel } of resting.values()) cancel()
      resting.clear()
      waiting.clear()
    },
  }
}
