import {
  createEvents,
  type Clock,
  type DeviceId,
  type Logger,
  type MeshError,
  type PersonId,
  type RoomId,
} from '../../mesh/base/index.ts'
import type { RoomChange, RoomSummary, RoomView } from '../../mesh/state/index.ts'
import type { OwnRooms } from './own-rooms.ts'
import { ROOMS, WANTS_AGAIN_MS, type Desk, type RoomHearing } from './remote/index.ts'
import type {
  Attention,
  RoomDevice,
  RoomPerson,
  RoomsDoing,
  RoomsPort,
  RoomsSight,
  RoomWants,
  SharedRooms,
} from './rooms-port.ts'

/** What sharing the rooms stands on. */
export interface SharedRoomsPorts {
  /** The name of this tab among those of its profile. */
  readonly self: string
  readonly clock: Clock
  readonly log: Logger
  /** At work while this tab leads. */
  readonly own: OwnRooms
  /** What the leading tab tells, while another leads. */
  readonly hearing: RoomHearing
  readonly desk: Desk
  /** The rooms this tab has open, and how they are before the person's eyes. Whoever hears of rooms reads it too. */
  readonly wants: Map<RoomId, Attention>
  /** Says to whoever leads what this tab wants. */
  tell(wants: RoomWants): void
  newId(): string
}

/** {@link RoomsPort} with what the owner of the peer has to say to it. */
export interface SharedRoomsControl extends RoomsPort {
  /** Tells what this tab wants again: to another leader, or after sleep. */
  tell(): void
  /** The page goes: nothing is before anybody's eyes any more. */
  leave(): void
  close(): void
}

interface Names {
  readonly people: ReadonlyMap<PersonId, RoomPerson>
  readonly devices: ReadonlyMap<DeviceId, RoomDevice>
}

const NOBODY = '' as PersonId

/** The rooms as this tab's screens have them: done where the peer is, seen here. */
export function shareRooms(ports: SharedRoomsPorts): SharedRoomsControl {
  const { own, hearing, wants, clock, log } = ports
  const onListenerError = (error: unknown): void => {
    log.error('a listener of rooms failed', { error })
  }
  const changes = createEvents<RoomChange>(onListenerError)
  const problems = createEvents<MeshError>(onListenerError)
  const nameChanges = createEvents<void>(onListenerError)
  /** What was seen last; it stays readable while there is no peer. */
  const views = new Map<RoomId, RoomView>()
  let last: { self: PersonId; list: readonly RoomSummary[]; people: readonly RoomPerson[] } | undefined
  let names: Names | undefined
  let lastNames: Names = { people: new Map(), devices: new Map() }
  let cancelAgain: (() => void) | undefined

  // ---- what is seen ----

  const sight = (): RoomsSight | undefined => own.sight() ?? hearing.sight()

  const seen = (now = sight()): NonNullable<typeof last> => {
    if (now !== undefined) last = { self: now.self, list: now.list(), people: now.people() }
    return last ?? { self: NOBODY, list: [], people: [] }
  }

  const namesNow = (now = sight()): Names => {
    const known = names ?? namesOf(now)
    names = known
    if (known !== undefined) lastNames = known
    return lastNames
  }

  const view = (room: RoomId): RoomView | undefined => {
    const now = sight()
    const found = now?.view(room)
    if (found !== undefined) views.set(room, found)
    // it is being opened where the peer is now; but one that is not in the list is this person's no more
    else if (now?.list().every(({ id }) => id !== room) === true) views.delete(room)
    return views.get(room)
  }

  const onParting = (gone: RoomsSight): void => {
    seen(gone)
    namesNow(gone)
    for (const room of wants.keys()) {
      const found = gone.view(room)
      if (found !== undefined) views.set(room, found)
    }
  }

  const onChange = (change: RoomChange): void => {
    names = undefined
    changes.emit(change)
    if (change.room === null) nameChanges.emit()
  }
  const ends = [own, hearing].flatMap((source) => [
    source.changes.subscribe(onChange),
    source.problems.subscribe(problems.emit),
    source.partings.subscribe(onParting),
  ])

  // ---- what is wanted ----

  const tell = (): void => {
    cancelAgain?.()
    cancelAgain = undefined
    own.want(ports.self, new Map(wants))
    ports.tell(wants)
    if ([...wants.values()].some((attention) => attention !== 'away')) {
      cancelAgain = clock.schedule(WANTS_AGAIN_MS, tell)
    }
  }

  const want = (room: RoomId, attention: Attention): void => {
    if (wants.get(room) === attention) return
    wants.set(room, attention)
    tell()
  }

  // ---- what is done ----

  const crossing = ports.desk.over<RoomsDoing>('rooms', ROOMS, own.doing, () => Promise.resolve())
  const rooms: SharedRooms = {
    ...crossing,
    changes,
    problems,
    get self() {
      return seen().self
    },
    list: () => seen().list,
    get: view,
    async open(room, options) {
      want(room, wants.get(room) ?? 'away')
      await crossing.open(room, options)
    },
    close(room) {
      if (wants.delete(room)) tell()
      return Promise.resolve()
    },
    attend(room, attention) {
      if (wants.has(room)) want(room, attention)
    },
    async create(options) {
      const room = await crossing.create(options)
      want(room, wants.get(room) ?? 'away')
      return room
    },
    say: (room, text, options) => crossing.say(room, text, { key: ports.newId(), ...options }),
    ask: (room, message, options) => crossing.ask(room, message, { key: ports.newId(), ...options }),
    search: (words, options = {}) => crossing.search(words, options),
  }

  return {
    rooms,
    changes: nameChanges,
    people: () => seen().people,
    person: (id) => namesNow().people.get(id),
    device: (id) => namesNow().devices.get(id),
    isKnown: () => last !== undefined || sight() !== undefined,
    tell,
    leave() {
      for (const room of wants.keys()) wants.set(room, 'away')
      tell()
    },
    close() {
      cancelAgain?.()
      for (const end of ends) end()
    },
  }
}

function namesOf(sight: RoomsSight | undefined): Names | undefined {
  if (sight === undefined) return undefined
  const { people, devices } = sight.known()
  return {
    people: new Map(people.map((person) => [person.id, person])),
    devices: new Map(devices.map((device) => [device.id, device])),
  }
}
