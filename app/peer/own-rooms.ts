import {
  abortReason,
  createEvents,
  isAbort,
  MeshError,
  ROOM_KEPT_OPEN_MAX_BYTES,
  ROOMS_KEPT_OPEN_MAX_BYTES,
  type Clock,
  type EventSource,
  type Logger,
  type RoomId,
} from '../../mesh/base/index.ts'
import type { Mesh } from '../../mesh/mesh-types.ts'
import type { MeshRooms } from '../../mesh/rooms-types.ts'
import type { RoomChange, Rooms } from '../../mesh/state/index.ts'
import type { OwnMesh } from './own-mesh.ts'
import { ATTENTION_LIFETIME_MS, movedError, ROOMS, RUNNING_WITHIN_MS, type AnyEntry } from './remote/index.ts'
import type { Attention, RoomsDoing, RoomsSight, RoomsSource, RoomWants } from './rooms-port.ts'

/** What the rooms of this tab's mesh stand on. */
export interface OwnRoomsPorts {
  /** The name of this tab among those of its profile. */
  readonly self: string
  readonly own: OwnMesh
  readonly clock: Clock
  readonly log: Logger
  /** This tab holds the peer and is at work. */
  isHere(): boolean
  /** `isHere()` changed. */
  readonly placeChanges: EventSource<void>
}

/** The rooms of the mesh this tab runs, while it runs one, for all tabs. */
export interface OwnRooms extends RoomsSource {
  /** Waits for the mesh. @throws MeshError as `SharedRooms`; `peer-gone` (see `isMoved`) when another tab leads meanwhile. */
  readonly doing: RoomsDoing
  /** A tab has these rooms open from now on; gives those it had not. */
  want(tab: string, wants: RoomWants): readonly RoomId[]
  /** Rooms that other tabs than this one have open. */
  wantedElsewhere(): ReadonlySet<RoomId>
  /** The term is over: what other tabs wanted is told to another. */
  forgetOthers(): void
}

interface TabWants {
  readonly wants: RoomWants
  readonly cancelExpiry: () => void
}

/**
 * The newest rooms are open whether a tab looks at them or not: a search looks into them,
 * and the list tells at once what comes. Some hundred kB each; larger ones within bounds of
 * all of them, for it is others who fill rooms. What comes into the others the list tells
 * too, in turns: how many rooms somebody makes changes nothing of what is told of the rest.
 */
const KEPT_OPEN_MAX = 32

const RANK: readonly Attention[] = ['away', 'here', 'typing']

/** Makes the rooms of a mesh that does not run yet. */
export function createOwnRooms(ports: OwnRoomsPorts): OwnRooms {
  const { own, clock, log, self } = ports
  const onListenerError = (error: unknown): void => {
    log.error('a listener of rooms failed', { error })
  }
  const changes = createEvents<RoomChange>(onListenerError)
  const problems = createEvents<MeshError>(onListenerError)
  const partings = createEvents<RoomsSight>(onListenerError)
  const tabs = new Map<string, TabWants>()
  /** What the mesh was last asked for, so that only what is other is asked again. */
  let asked = new Map<RoomId, Attention>()
  /** Rooms that are open for the list, as far as they are among the newest. */
  let kept: ReadonlySet<RoomId> = new Set()
  let isChoosing = false
  let isChoiceStale = false
  let opening: Promise<unknown> = Promise.resolve()
  let mesh: Mesh | undefined
  let ends: readonly (() => void)[] = []

  // ---- what is open, and before whose eyes ----

  /** What all tabs want together: a room is attended if any of them attends it. */
  const wanted = (): Map<RoomId, Attention> => {
    const all = new Map<RoomId, Attention>()
    for (const { wants } of tabs.values()) {
      for (const [room, attention] of wants) {
        if (RANK.indexOf(attention) >= RANK.indexOf(all.get(room) ?? 'away')) all.set(room, attention)
      }
    }
    return all
  }

  const bringAbout = (): void => {
    const rooms = mesh?.rooms.rooms
    if (rooms === undefined) return
    const before = asked
    asked = wanted()
    for (const [room, attention] of asked) {
      if (!before.has(room)) void openFor(rooms, room)
      else if (before.get(room) !== attention) rooms.attend(room, attention)
    }
    for (const { id } of rooms.list().slice(0, KEPT_OPEN_MAX)) {
      if (asked.has(id) || !kept.has(id)) continue
      asked.set(id, 'away')
      if (!before.has(id)) keepOpen(rooms, id)
      else if (before.get(id) !== 'away') rooms.attend(id, 'away')
    }
    for (const room of before.keys()) if (!asked.has(room)) void closeIn(rooms, room)
    void choose(rooms)
  }

  /** Weighs the newest rooms, and keeps those open that fit; what is asked for meanwhile is done after it. */
  const choose = async (rooms: Rooms): Promise<void> => {
    isChoiceStale = true
    if (isChoosing) return
    isChoosing = true
    try {
      while (isStale()) {
        isChoiceStale = false
        const newest = rooms.list().slice(0, KEPT_OPEN_MAX)
        const chosen = fitting(
          await Promise.all(newest.map(async ({ id }) => [id, await weightOf(rooms, id)] as const)),
        )
        if (mesh?.rooms.rooms !== rooms) return
        if (chosen.size === kept.size && [...chosen].every((id) => kept.has(id))) continue
        kept = chosen
        bringAbout()
      }
    } finally {
      isChoosing = false
      // another mesh has come meanwhile, whose rooms nobody weighed
      if (isStale()) bringAbout()
    }
  }
  const isStale = (): boolean => isChoiceStale

  const weightOf = async (rooms: Rooms, room: RoomId): Promise<number> => {
    try {
      return await rooms.weigh(room)
    } catch (error) {
      log.info('a room could not be weighed', { error })
      // opening it says why, to whoever does
      return Infinity
    }
  }

  const openFor = async (rooms: Rooms, room: RoomId): Promise<void> => {
    try {
      await rooms.open(room)
      const attention = asked.get(room)
      if (attention !== undefined) rooms.attend(room, attention)
    } catch (error) {
      // whoever waits for it hears of it; a room that is gone is not opened again by itself
      log.info('a room could not be opened', { error })
    }
  }

  /** One after the other, so that a page with many rooms is not held up by them. */
  const keepOpen = (rooms: Rooms, room: RoomId): void => {
    opening = opening.then(() => (mesh?.rooms.rooms === rooms && asked.has(room) ? openFor(rooms, room) : undefined))
  }

  const closeIn = async (rooms: Rooms, room: RoomId): Promise<void> => {
    try {
      await rooms.close(room)
    } catch (error) {
      log.warn('a room could not be closed', { error })
    }
  }

  const setWants = (tab: string, wants: RoomWants): void => {
    tabs.get(tab)?.cancelExpiry()
    const isWatched = tab !== self && [...wants.values()].some((attention) => attention !== 'away')
    const inattentive = new Map([...wants.keys()].map((room): [RoomId, Attention] => [room, 'away']))
    const cancelExpiry = !isWatched
      ? () => undefined
      : clock.schedule(ATTENTION_LIFETIME_MS, () => {
          setWants(tab, inattentive)
        })
    tabs.set(tab, { wants, cancelExpiry })
    bringAbout()
  }

  // ---- the mesh comes and goes ----

  const follow = (): void => {
    if (own.mesh() === mesh) return
    // it is about to stop, and its rooms are still open
    if (mesh !== undefined) partings.emit(sightOf(mesh.rooms))
    for (const end of ends) end()
    ends = []
    mesh = own.mesh()
    asked = new Map()
    kept = new Set()
    if (mesh !== undefined) {
      const { rooms } = mesh
      ends = [
        rooms.rooms.keepCurrent(ROOM_KEPT_OPEN_MAX_BYTES),
        rooms.rooms.changes.subscribe((change) => {
          if (change.room === null) bringAbout()
          changes.emit(change)
        }),
        rooms.rooms.problems.subscribe(problems.emit),
        rooms.changes.subscribe(() => {
          changes.emit({ room: null })
        }),
      ]
      bringAbout()
    }
    changes.emit({ room: null })
  }
  own.changes.subscribe(follow)

  const sight = (): RoomsSight | undefined => {
    const here = own.mesh()?.rooms
    return here && sightOf(here)
  }

  // ---- what is done ----

  const running = (signal: AbortSignal | undefined): Promise<Mesh> =>
    new Promise((resolve, reject) => {
      const end = (): void => {
        cancel()
        for (const stop of stops) stop()
        signal?.removeEventListener('abort', look)
      }
      const fail = (error: unknown): void => {
        end()
        reject(error)
      }
      const look = (): void => {
        const here = own.mesh()
        if (signal?.aborted === true) fail(abortReason(signal))
        else if (!ports.isHere()) fail(movedError())
        else if (here !== undefined) {
          end()
          resolve(here)
        } else if (own.problem() !== undefined) fail(notUp(own.problem()))
      }
      const cancel = clock.schedule(RUNNING_WITHIN_MS, () => {
        fail(notUp(undefined))
      })
      const stops = [own.changes.subscribe(look), ports.placeChanges.subscribe(look)]
      signal?.addEventListener('abort', look, { once: true })
      look()
    })

  const act = async (name: string, entry: AnyEntry, given: readonly unknown[]): Promise<unknown> => {
    const { signal } = (given[entry.args?.length ?? 0] ?? {}) as { readonly signal?: AbortSignal }
    for (;;) {
      const at = await running(signal)
      const rooms = at.rooms.rooms as unknown as Record<string, (...args: readonly unknown[]) => unknown>
      try {
        // a tab has it open, but this mesh may have started just now
        if (asked.has(given[0] as RoomId)) await at.rooms.rooms.open(given[0] as RoomId, { signal })
        return await rooms[name]?.(...given)
      } catch (error) {
        // the mesh went in the middle, and what failed failed with it
        if (own.mesh() === at || isAbort(error)) throw error
        if (entry.once === true) throw new MeshError('peer-gone', INTERRUPTED, { cause: error })
        log.info('a wish about rooms is made again', { name })
      }
    }
  }

  return {
    changes,
    problems,
    partings,
    sight,
    doing: Object.fromEntries(
      Object.entries(ROOMS as Readonly<Record<string, AnyEntry>>)
        .filter(([, { kind }]) => kind === 'call' || kind === 'post')
        .map(([name, entry]) => [name, (...given: unknown[]) => act(name, entry, given)]),
    ) as unknown as RoomsDoing,
    want(tab, wants) {
      const before = tabs.get(tab)?.wants
      setWants(tab, wants)
      return [...wants.keys()].filter((room) => before?.has(room) !== true)
    },
    wantedElsewhere() {
      const elsewhere = [...tabs].filter(([tab]) => tab !== self)
      return new Set(elsewhere.flatMap(([, { wants }]) => [...wants.keys()]))
    },
    forgetOthers() {
      for (const [tab, { cancelExpiry }] of [...tabs]) {
        if (tab === self) continue
        cancelExpiry()
        tabs.delete(tab)
      }
    },
  }
}

/** Of rooms with their weights those that may be open together: the smallest, so that a large one takes the place of none. */
function fitting(weighed: readonly (readonly [RoomId, number])[]): Set<RoomId> {
  const chosen = new Set<RoomId>()
  let left = ROOMS_KEPT_OPEN_MAX_BYTES
  for (const [room, bytes] of [...weighed].sort(([, a], [, b]) => a - b)) {
    left -= bytes
    if (bytes > ROOM_KEPT_OPEN_MAX_BYTES || left < 0) break
    chosen.add(room)
  }
  return chosen
}

function sightOf(here: MeshRooms): RoomsSight {
  return {
    self: here.rooms.self,
    list: () => here.rooms.list(),
    people: () => here.people(),
    known: () => here.known(),
    view: (room) => here.rooms.get(room),
  }
}

const INTERRUPTED = 'The connection of this browser was interrupted in the middle of this. Look whether it was done.'

function notUp(cause: MeshError | undefined): MeshError {
  return new MeshError('offline', 'The connection of this browser is not up yet. Try again in a moment.', { cause })
}
