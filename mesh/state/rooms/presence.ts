import * as z from 'zod/mini'
import {
  ROOM_PRESENCE_EVERY_MS,
  ROOM_PRESENCE_LIFETIME_MS,
  ROOM_PRESENCE_MAX_BYTES,
  type Clock,
  type DeviceId,
  type MessageId,
} from '../../base/index.ts'
import { decode, encode } from '../../wire/index.ts'
import { idText } from '../operations.ts'
import type { DocumentAwareness } from './document.ts'
import { ANSWERING_MAX, PRESENCE_AGAIN_MS } from './limits.ts'

/** What a device tells of itself in a room. */
export interface PresenceState {
  /** Someone has the room before them there. */
  readonly here: boolean
  readonly typing: boolean
  /** Answers being written there: silent ones are waiting, not lost. */
  readonly answering: readonly MessageId[]
}

/** Presence of all devices in one room. */
export interface Presence {
  /** Changes what this device tells; told now or as soon as one may again. */
  tell(change: Partial<PresenceState>): void
  /** What other devices told within the last 30 s. */
  others(): ReadonlyMap<DeviceId, PresenceState>
  /** Tells nothing any more. */
  close(): void
}

const stateSchema = z.object({
  v: z.literal(1),
  here: z.boolean(),
  typing: z.boolean(),
  answering: z.array(idText).check(z.maxLength(ANSWERING_MAX)),
})

const NOTHING: PresenceState = { here: false, typing: false, answering: [] }

/** The state in bytes of another device; what cannot be read is nothing. */
export function decodePresence(bytes: Uint8Array): PresenceState {
  try {
    const state = decode(bytes, stateSchema, { maxBytes: ROOM_PRESENCE_MAX_BYTES, what: 'A presence' })
    return { ...state, answering: state.answering as MessageId[] }
  } catch {
    return NOTHING
  }
}

/** See {@link PresenceState}. */
export function encodePresence(state: PresenceState): Uint8Array {
  return encode({ v: 1, ...state, answering: state.answering.slice(0, ANSWERING_MAX) })
}

/** Follows and tells presence. `changed` is called when what others told ran out or came. */
export function createPresence(awareness: DocumentAwareness, clock: Clock, changed: () => void): Presence {
  let own = NOTHING
  let toldAt = -Infinity
  let cancelTell: (() => void) | undefined
  let cancelExpiry: (() => void) | undefined
  let closed = false

  const isActive = (): boolean => own.here || own.typing || own.answering.length > 0

  const tellNow = (): void => {
    cancelTell = undefined
    if (closed) return
    toldAt = clock.monotonic()
    awareness.set(encodePresence(own))
    if (isActive()) tellIn(PRESENCE_AGAIN_MS)
  }
  const tellIn = (delayMs: number): void => {
    cancelTell?.()
    cancelTell = clock.schedule(delayMs, tellNow)
  }

  const watchExpiry = (): void => {
    cancelExpiry?.()
    cancelExpiry = undefined
    const now = clock.now()
    let next = Infinity
    for (const { at } of awareness.states().values()) {
      const left = at + ROOM_PRESENCE_LIFETIME_MS - now
      if (left > 0) next = Math.min(next, left)
    }
    if (next === Infinity || closed) return
    cancelExpiry = clock.schedule(next + 1, () => {
      changed()
      watchExpiry()
    })
  }
  const endAwareness = awareness.changes.subscribe(() => {
    watchExpiry()
    changed()
  })
  watchExpiry()

  return {
    tell(change) {
      const next = { ...own, ...change }
      if (isSame(own, next)) return
      own = next
      const wait = toldAt + ROOM_PRESENCE_EVERY_MS - clock.monotonic()
      if (wait <= 0) {
        cancelTell?.()
        tellNow()
      } else tellIn(wait)
    },
    others() {
      const now = clock.now()
      const fresh = new Map<DeviceId, PresenceState>()
      for (const [device, { bytes, at }] of awareness.states()) {
        // a clock set back must not keep anybody here for ever
        const age = Math.abs(now - at)
        if (age < ROOM_PRESENCE_LIFETIME_MS) fresh.set(device, decodePresence(bytes))
      }
      return fresh
    },
    close() {
      if (closed) return
      if (isActive()) awareness.set(encodePresence(NOTHING))
      closed = true
      cancelTell?.()
      cancelExpiry?.()
      endAwareness()
    },
  }
}

function isSame(a: PresenceState, b: PresenceState): boolean {
  return a.here === b.here && a.typing === b.typing && a.answering.join() === b.answering.join()
}
