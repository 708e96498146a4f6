import {
  errorToWire,
  type ChatId,
  type Clock,
  type MeshError,
  type MessageId,
  type RoomId,
} from '../../../mesh/base/index.ts'
import type { Mesh } from '../../../mesh/mesh-types.ts'
import type { AnsweringControl } from '../answering.ts'
import type { RoomsSource } from '../rooms-port.ts'
import { EVENTS_AT_ONCE, TELL_EVERY_MS } from './limits.ts'
import type { Told } from './messages.ts'
import { createRoomNews } from './room-news.ts'
import type { AnyShape } from './shape.ts'
import { MESH } from './tables.ts'

/** What telling the other tabs stands on. */
export interface TellerPorts {
  readonly clock: Clock
  readonly self: string
  readonly epoch: number
  post(message: Told): void
  mesh(): Mesh | undefined
  problem(): MeshError | undefined
  readonly answering: AnsweringControl
  readonly rooms: RoomsSource
  /** Rooms that other tabs have open. */
  roomsWanted(): Iterable<RoomId>
}

/** Tells the other tabs what changes, for one term. Costs nothing while nobody listens. */
export interface Teller {
  /** The mesh came or went, or the peer has a problem. */
  peerChanged(): void
  /** Tells this tab everything, and from now on all tabs what changes. */
  attach(tab: string): void
  /** Tells these rooms whole to all: a tab came that does not have them. */
  tellRooms(rooms: Iterable<RoomId>): void
  /** Tells at once what waits. */
  flush(): void
  close(): void
}

const SNAPSHOTS = Object.entries(MESH as AnyShape)
  .filter(([, { kind }]) => kind === 'value' || kind === 'snapshot')
  .map(([name]) => name)

/**
 * Follows mesh and answers. News of one turn is told together, and at most every
 * {@link TELL_EVERY_MS}; not by timers where it can be helped, since a browser lets
 * the timers of a hidden tab run once a second or less.
 */
export function createTeller(ports: TellerPorts): Teller {
  const { clock, answering } = ports
  let attached = false
  let closed = false
  let sequence = 0
  let toldAtMs = -TELL_EVERY_MS
  let dirty = false
  let cancelTimer: (() => void) | undefined
  let endMesh: (() => void) | undefined
  let followed: Mesh | undefined
  let events: unknown[] = []
  let ended: { chat: ChatId; message: MessageId }[] = []
  /** What the others have: snapshots as text, and how much of each answer. */
  const toldSnapshots = new Map<string, string>()
  const toldLengths = new Map<MessageId, number>()
  const changed = new Set<MessageId>()
  const roomNews = createRoomNews({ sight: () => ports.rooms.sight(), wanted: () => ports.roomsWanted() })

  const later = (): void => {
    if (!attached || closed) return
    dirty = true
    const waitMs = toldAtMs + TELL_EVERY_MS - clock.monotonic()
    if (waitMs <= 0 || events.length >= EVENTS_AT_ONCE) void Promise.resolve().then(flush)
    else cancelTimer ??= clock.schedule(waitMs, flush)
  }

  const followMesh = (): void => {
    const mesh = ports.mesh()
    if (mesh === followed) return
    endMesh?.()
    followed = mesh
    toldSnapshots.clear()
    roomNews.forget()
    endMesh = mesh?.events.subscribe((event) => {
      events.push(event)
      // rooms name devices, and where they are
      if (event.type === 'device-changed') roomNews.changed(null)
      later()
    })
  }

  const snapshotsOf = (wants: (name: string, value: unknown) => boolean): Record<string, unknown> => {
    const mesh = ports.mesh() as Record<string, unknown> | undefined
    if (mesh === undefined) return {}
    const all = SNAPSHOTS.map((name): [string, unknown] => {
      const member = mesh[name]
      return [name, typeof member === 'function' ? (member as () => unknown)() : member]
    })
    return Object.fromEntries(all.filter(([name, value]) => wants(name, value)))
  }

  const isNews = (name: string, value: unknown): boolean => {
    const text = JSON.stringify(value)
    if (toldSnapshots.get(name) === text) return false
    toldSnapshots.set(name, text)
    return true
  }

  const peer = (): Told['peer'] => {
    const problem = ports.problem()
    return { running: ports.mesh() !== undefined, problem: problem && errorToWire(problem) }
  }

  const answersFrom = (lengthKnown: (message: MessageId) => number | undefined): Told['answers'] =>
    answering.writing().flatMap(({ live, text }) => {
      const at = lengthKnown(live.message)
      return at === undefined ? [] : [{ live, at, text: text.slice(at) }]
    })

  const post = (
    to: string | undefined,
    news: Pick<Told, 'snapshots' | 'events' | 'answers' | 'ended' | 'rooms'>,
  ): void => {
    ports.post({ type: 'told', from: ports.self, to, epoch: ports.epoch, sequence, peer: peer(), ...news })
  }

  const flush = (): void => {
    cancelTimer?.()
    cancelTimer = undefined
    if (!dirty || closed) return
    dirty = false
    toldAtMs = clock.monotonic()
    sequence += 1
    const answers = answersFrom((message) => (changed.has(message) ? (toldLengths.get(message) ?? 0) : undefined))
    for (const { live, at, text } of answers) toldLengths.set(live.message, at + text.length)
    changed.clear()
    for (const { message } of ended) toldLengths.delete(message)
    for (let start = 0; start === 0 || start < events.length; start += EVENTS_AT_ONCE) {
      const some = events.slice(start, start + EVENTS_AT_ONCE)
      if (start > 0) sequence += 1
      post(undefined, {
        snapshots: start === 0 ? snapshotsOf(isNews) : {},
        events: some,
        answers: start === 0 ? answers : [],
        ended: start === 0 ? ended : [],
        rooms: start === 0 ? roomNews.take() : undefined,
      })
    }
    events = []
    ended = []
  }

  const endAnswers = answering.changes.subscribe(({ chat, message, kind }) => {
    if (!attached) return
    if (kind === 'ended') ended.push({ chat, message })
    else changed.add(message)
    later()
  })

  const ends = [
    endAnswers,
    ports.rooms.changes.subscribe(({ room }) => {
      roomNews.changed(room)
      later()
    }),
    ports.rooms.problems.subscribe((error) => {
      roomNews.failed(error)
      later()
    }),
  ]

  return {
    flush,
    peerChanged() {
      if (!attached) return
      followMesh()
      later()
    },
    attach(tab) {
      attached = true
      followMesh()
      flush()
      const everything = { snapshots: snapshotsOf(() => true), answers: answersFrom(() => 0) }
      post(tab, { ...everything, events: [], ended: [], rooms: roomNews.everything() })
    },
    tellRooms(rooms) {
      roomNews.tellAgain(rooms)
      later()
    },
    close() {
      closed = true
      cancelTimer?.()
      endMesh?.()
      for (const end of ends) end()
    },
  }
}
