import * as z from 'zod/mini'
import {
  asMeshError,
  createEvents,
  MeshError,
  throwIfAborted,
  wholeRecords,
  type Clock,
  type DeviceId,
  type EventSource,
  type Logger,
  type PersonId,
  type Random,
  type RoomId,
  type Store,
} from '../../base/index.ts'
import type { AskEvent, AskRequest } from '../../route/index.ts'
import { decode, encode } from '../../wire/index.ts'
import { openArrivals } from './arrivals.ts'
import { createCatchingUp } from './catching-up.ts'
import type { RoomDirectory } from './directory.ts'
import type { RoomDocument } from './document.ts'
import { SUMMARY_AFTER_MS, SUMMARY_MAX_BYTES } from './limits.ts'
import { cleanRoomName } from './operations.ts'
import { checkName, createOpenRoom, type OpenRoom } from './open-room.ts'
import type { RoomChange, RoomNews, RoomRecord, Rooms, RoomSummary } from './rooms.ts'
import { createRoomArchives, type RoomArchives } from './room-archives.ts'
import { createSearches, type SearchText } from './search.ts'

interface Cancellable {
  readonly signal?: AbortSignal | undefined
}

/** What rooms stand on. */
export interface RoomsPorts {
  readonly self: DeviceId
  readonly store: Store
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
  readonly directory: RoomDirectory
  openDocument(room: RoomId, options?: Cancellable): Promise<RoomDocument>
  /** See {@link Rooms.weigh}. Default: nothing weighs anything. */
  weigh?(room: RoomId, options?: Cancellable): Promise<number>
  /** Another text whenever the document of a room holds, or this device can read, something else; empty: there is none. Default: always empty. */
  version?(room: RoomId, options?: Cancellable): Promise<string>
  /** What came into documents, open or not. Default: nobody tells. */
  readonly news?: EventSource<RoomNews> | undefined
  /** Asks the best device, as `Mesh.ask`. */
  ask(request: AskRequest, options: { readonly signal: AbortSignal }): AsyncIterable<AskEvent>
}

/** @property version what it was made from; an earlier version of Plexus did not say */
type Remembered = Pick<RoomSummary, 'name' | 'unread' | 'last' | 'updatedAt'> & {
  readonly version?: string | undefined
}

const summarySchema = z.object({
  name: z.string(),
  unread: z.number(),
  updatedAt: z.number(),
  version: z.optional(z.string()),
  last: z.optional(z.object({ person: z.optional(z.string()), ai: z.boolean(), excerpt: z.string() })),
})
const PREFIX = 'rooms/'
const summaryKey = (room: RoomId): string => `${PREFIX}${room}/summary`

/**
 * Opens the list of rooms; documents are opened when a room is. The signal ends its timers.
 * @throws MeshError of the Store when the list cannot be read at all.
 */
export async function createRooms(ports: RoomsPorts, options: Cancellable = {}): Promise<Rooms & RoomArchives> {
  const { store, clock, directory } = ports
  const log = ports.log.child('rooms')
  const onListenerError = (error: unknown): void => {
    log.error('a listener failed', { error })
  }
  const changes = createEvents<RoomChange>(onListenerError)
  const problems = createEvents<MeshError>(onListenerError)
  const remembered = await readSummaries(store, log, options)
  const open = new Map<RoomId, OpenRoom>()
  const opening = new Map<RoomId, Promise<OpenRoom>>()
  /** Rooms that are letting go of their documents; opening one waits for it. */
  const closing = new Map<RoomId, Promise<void>>()
  /** Rooms to be closed once their answers ended; opening one again takes that back. */
  const leaving = new Set<RoomId>()
  /** Rooms that are open only to be looked at; opening one for anything else takes that back. */
  const visited = new Set<RoomId>()
  /** Rooms to be written into the list, and the timer for it. */
  const dirty = new Map<RoomId, () => void>()
  const searches = createSearches(clock)

  const problem = (error: MeshError): void => {
    log.warn('a room has a problem', { code: error.code })
    problems.emit(error)
  }

  const recordOf = (room: RoomId): RoomRecord | undefined => directory.list().find((record) => record.id === room)
  const needRecord = (room: RoomId): RoomRecord => {
    const record = recordOf(room)
    if (record === undefined) throw new MeshError('usage', 'This room is not here.')
    return record
  }
  const need = (room: RoomId): OpenRoom => {
    const found = open.get(room)
    if (found === undefined) throw new MeshError('usage', 'This room is not open.')
    return found
  }

  const changed = (room: RoomId): void => {
    changes.emit({ room })
    if (dirty.has(room)) return
    dirty.set(
      room,
      clock.schedule(SUMMARY_AFTER_MS, () => {
        remember(room).catch((error: unknown) => {
          problem(asMeshError(error, 'storage-failed'))
        })
      }),
    )
  }

  /** Writes down what the list shows of a room while it is closed. */
  const remember = async (room: RoomId): Promise<void> => {
    dirty.get(room)?.()
    dirty.delete(room)
    if (!open.has(room)) return
    // before it is looked at: what comes meanwhile is found later
    const version = ports.version === undefined ? undefined : await ports.version(room)
    const view = open.get(room)?.view()
    if (view === undefined) return
    const { name, unread, last, updatedAt } = view
    const before = remembered.get(room)
    const next: Remembered = { name, unread, last, updatedAt, version }
    const isToldAlready = JSON.stringify(before && { ...before, version }) === JSON.stringify(next)
    if (isToldAlready && before?.version === version) return
    remembered.set(room, next)
    if (!isToldAlready) changes.emit({ room: null })
    await store.put(summaryKey(room), encode(next))
  }

  const openRoom = async (room: RoomId, { signal }: Cancellable): Promise<OpenRoom> => {
    // what was read once stands even if the room is taken away while it is open
    let record = needRecord(room)
    const reading = openArrivals({ store, clock, log, problem }, room, { signal })
    // awaited below, where there is a document to close again
    reading.catch(() => undefined)
    const document = await ports.openDocument(room, { signal })
    const arrivals = await reading.catch(async (error: unknown) => {
      await document.close()
      throw error
    })
    const opened = createOpenRoom({
      ...ports,
      log,
      document,
      arrivals,
      person: directory.self,
      personOf: (device) => directory.personOf(device),
      nameOf: (person) => (person === undefined ? undefined : directory.nameOf(person)) ?? 'Someone',
      record: () => (record = recordOf(room) ?? record),
      changed: () => {
        changed(room)
      },
      problem,
    })
    open.set(room, opened)
    // to whoever opens it, and not at each look for the list
    if (document.isDamaged?.() === true && !visited.has(room)) problem(partlyDamaged())
    await opened.endAbandoned().catch((error: unknown) => {
      problem(asMeshError(error, 'storage-failed'))
    })
    changed(room)
    return opened
  }

  const opened = (room: RoomId, cancel: Cancellable = {}): Promise<OpenRoom> => {
    leaving.delete(room)
    const known = open.get(room)
    if (known !== undefined) return Promise.resolve(known)
    const before = opening.get(room)
    if (before !== undefined) return before
    const after = closing.get(room)?.catch(() => undefined) ?? Promise.resolve()
    const work = after
      .then(() => openRoom(room, cancel))
      .finally(() => {
        opening.delete(room)
      })
    opening.set(room, work)
    return work
  }

  const close = async (room: RoomId, interrupt?: MeshError): Promise<void> => {
    const found = open.get(room)
    if (found === undefined) return
    const answers = [...found.running.values()]
    leaving.add(room)
    if (interrupt !== undefined) for (const answer of answers) answer.stop(interrupt)
    await Promise.all(answers.map((answer) => answer.done))
    if (!leaving.has(room)) return
    // made anew when it is opened: a disk that is full keeps no room open, and nothing from stopping
    await remember(room).catch((error: unknown) => {
      problem(asMeshError(error, 'storage-failed'))
    })
    // who opened it again meanwhile has it now
    if (!leaving.delete(room)) return
    open.delete(room)
    const ending = found.close().finally(() => {
      closing.delete(room)
    })
    closing.set(room, ending)
    await ending
  }

  const onDirectory = (): void => {
    for (const [room, found] of open) {
      if (recordOf(room) === undefined) {
        close(room, new MeshError('removed', 'This room is not open to this person any more.')).catch(
          (error: unknown) => {
            problem(asMeshError(error))
          },
        )
      } else {
        found.forget()
        changes.emit({ room })
      }
    }
    changes.emit({ room: null })
  }
  const endDirectory = directory.changes.subscribe(onDirectory)

  const stopAll = async (): Promise<void> => {
    endDirectory()
    const reason = new MeshError('aborted', 'The device that was writing this was closed.')
    await Promise.all([...open.keys()].map((room) => close(room, reason)))
    for (const cancel of dirty.values()) cancel()
    dirty.clear()
  }
  options.signal?.addEventListener('abort', () => {
    endDirectory()
    for (const cancel of dirty.values()) cancel()
    for (const room of open.values()) for (const answer of room.running.values()) answer.abandon()
  })

  const summaryOf = (record: RoomRecord): RoomSummary => {
    const kept = remembered.get(record.id)
    return {
      id: record.id,
      people: record.people.map((each) => each.person),
      name: kept?.name ?? '',
      unread: kept?.unread ?? 0,
      last: kept?.last,
      updatedAt: kept?.updatedAt ?? record.createdAt,
    }
  }

  /** What the list shows of a room that was written into while it may not be open. */
  const lookAgain = async (room: RoomId): Promise<void> => {
    if (open.has(room) || opening.has(room)) {
      await opened(room)
      await remember(room)
      return
    }
    visited.add(room)
    try {
      await opened(room)
      await remember(room)
    } finally {
      // who opened it meanwhile has it now
      if (visited.delete(room)) await close(room)
    }
  }

  /** True where the document of a room that is not open holds what the list does not tell. */
  const isBehind = async (room: RoomId): Promise<boolean> => {
    if (open.has(room) || recordOf(room) === undefined) return false
    const version = (await ports.version?.(room)) ?? ''
    return version !== '' && version !== remembered.get(room)?.version
  }

  const lookIfBehind = async (room: RoomId, maxBytes: number): Promise<boolean> => {
    try {
      if (!(await isBehind(room)) || ((await ports.weigh?.(room)) ?? 0) > maxBytes) return false
      await lookAgain(room)
      return true
    } catch (error) {
      // opening it says why, to whoever does
      log.info('the list does not tell what is new in a room', { room, error: asMeshError(error).code })
      return true
    }
  }

  const keepCurrent = (maxBytes: number): (() => void) => {
    const catchingUp = createCatchingUp({ clock, look: (room) => lookIfBehind(room, maxBytes) })
    const addAll = (): void => {
      for (const { id, createdBy } of directory.list()) if (!open.has(id)) catchingUp.add(id, [createdBy])
    }
    const endNews = ports.news?.subscribe(({ room, by }) => {
      if (room === null) addAll()
      else if (!open.has(room)) catchingUp.add(room, by.size > 0 ? by : [recordOf(room)?.createdBy])
    })
    addAll()
    return () => {
      endNews?.()
      catchingUp.stop()
    }
  }

  return {
    ...createRoomArchives({ ...ports, log, lookAgain }),
    get self() {
      return directory.self
    },
    changes,
    problems,
    list: () =>
      directory
        .list()
        .map(summaryOf)
        .sort((a, b) => b.updatedAt - a.updatedAt || (a.id < b.id ? 1 : -1)),

    async create({ name, people, history, signal }) {
      throwIfAborted(signal)
      const given = checkName(name)
      const room = await directory.create({ people, history, signal })
      visited.delete(room)
      const found = await opened(room, { signal })
      await found.rename(given, { signal })
      await remember(room)
      return room
    },
    keepCurrent,
    async open(room, cancel = {}) {
      visited.delete(room)
      await opened(room, cancel)
    },
    close: (room) => close(room),
    weigh: (room, cancel = {}) => ports.weigh?.(room, cancel) ?? Promise.resolve(0),
    get: (room) => open.get(room)?.view(),

    say: async (room, text, given) => need(room).say(text, given),
    edit: async (room, message, text, given) => need(room).edit(message, text, given),
    delete: async (room, message, cancel) => need(room).delete(message, cancel),
    ask: async (room, message, cancel) => need(room).ask(message, cancel),
    stop: async (room, answer, cancel) => need(room).stop(answer, cancel),
    hide: async (room, answer, hidden, cancel) => need(room).hide(answer, hidden, cancel),
    rename: async (room, name, cancel) => need(room).rename(name, cancel),
    setRule: async (room, rule, cancel) => need(room).setRule(rule, cancel),
    markSeen: (room, messages) => open.get(room)?.markSeen(messages),
    markAllSeen: (room) => open.get(room)?.markAllSeen(),
    attend: (room, attention) => open.get(room)?.attend(attention),
    receipts: (room, message) => open.get(room)?.receipts(message) ?? { devices: [], seenBy: [] },

    search(words, { room } = {}) {
      const rooms = room === undefined ? [...open] : [...open].filter(([id]) => id === room)
      return searches.search(room ?? '', newestFirst(rooms), words)
    },
    async read(room, cancel = {}) {
      visited.delete(room)
      return (await opened(room, cancel)).lines()
    },
    stopAll,
  }
}

function partlyDamaged(): MeshError {
  const sentence =
    'Something that is stored of this room is damaged on this device. It comes back from the other devices that have it; everything else is here.'
  return new MeshError('storage-corrupt', sentence)
}

/** Texts of several rooms, newest first: each room gives its own in order, so the newest head is next. */
function* newestFirst(rooms: readonly (readonly [RoomId, OpenRoom])[]): Generator<SearchText> {
  const heads = rooms.map(([room, found]) => ({ room, texts: found.texts()[Symbol.iterator]() }))
  const next = heads.map(({ texts }) => texts.next())
  for (;;) {
    let best = -1
    next.forEach((each, index) => {
      if (each.done === true) return
      const before = best < 0 ? undefined : next[best]
      if (before === undefined || before.done === true || each.value.writtenAt > before.value.writtenAt) best = index
    })
    const chosen = next[best]
    const head = heads[best]
    if (chosen === undefined || chosen.done === true || head === undefined) return
    yield { room: head.room, ...chosen.value }
    next[best] = head.texts.next()
  }
}

async function readSummaries(store: Store, log: Logger, options: Cancellable): Promise<Map<RoomId, Remembered>> {
  const summaries = new Map<RoomId, Remembered>()
  for (const { key, value } of wholeRecords(await store.list(PREFIX, options), log)) {
    if (!key.endsWith('/summary')) continue
    const room = key.slice(PREFIX.length, -'/summary'.length) as RoomId
    try {
      const read = decode(value, summarySchema, { maxBytes: SUMMARY_MAX_BYTES, what: 'A room in the list' })
      summaries.set(room, {
        ...read,
        name: cleanRoomName(read.name),
        last: read.last && { ...read.last, person: read.last.person as PersonId | undefined },
      })
    } catch {
      // it is written anew when the room is opened
      continue
    }
  }
  return summaries
}
