import {
  asId,
  createEvents,
  createQueue,
  silentLogger,
  type AsyncQueue,
  type DeviceId,
  type PersonId,
  type RoomId,
  type Store,
} from '../../../mesh/base/index.ts'
import type { MeshRooms, RoomPerson } from '../../../mesh/rooms-types.ts'
import type { AskEvent } from '../../../mesh/route/index.ts'
import { createRooms, type RoomDocument, type RoomRecord, type Rooms } from '../../../mesh/state/index.ts'
import { settle } from '../../kit/clock.ts'
import { createMemoryStore } from '../../kit/memory-store.ts'
import { createSeededRandom } from '../../kit/random.ts'
import { createRoomNetwork, type RoomNetwork } from '../../kit/room-documents.ts'
import { openBrowser, type Browser } from './browser.ts'
import type { Tab } from './tabs.ts'

/** The room there is from the start. */
export const ROOM = asId<RoomId>('room')
/** Whose browser it is, and the other in the room. */
export const ALICE: RoomPerson = { id: asId<PersonId>('a'.repeat(32)), name: 'Alice' }
export const BOB: RoomPerson = { id: asId<PersonId>('b'.repeat(32)), name: 'Bob' }
const DEVICES = { '12D3KooWBrowser': ALICE, '12D3KooWBobPhone': BOB } as const

/** The browser of one person, and the device of another in the same room. */
export interface RoomsWorld {
  readonly browser: Browser
  /** The rooms of the other person. */
  readonly bob: Rooms
  /** Questions the browser asked its mesh, oldest first. */
  readonly asks: AsyncQueue<AskEvent>[]
  /** Called after each write of the browser, before its caller hears of it. */
  onWrite: ((tab: Tab) => void) | undefined
  /** What rooms take in memory once they are open, in bytes. Default: nothing. */
  readonly weights: Map<RoomId, number>
  /** While set, no mesh starts. */
  gate: Promise<void> | undefined
  /** Delivers everything, and lets news pass. */
  calm(): Promise<void>
}

/** Opens a world in virtual time; the browser has no tab yet. */
export async function openRoomsWorld(seed = 1): Promise<RoomsWorld> {
  const asks: AsyncQueue<AskEvent>[] = []
  const networks = new Map<RoomId, RoomNetwork>()
  const directoryChanges = createEvents<void>(() => undefined)
  const weights = new Map<RoomId, number>()
  const news = createEvents<{ readonly room: RoomId; readonly to: DeviceId; readonly author: DeviceId }>(
    () => undefined,
  )
  let runs = 0

  const openRooms = async (name: keyof typeof DEVICES, store: Store, tab?: Tab): Promise<MeshRooms> => {
    const self = asId<DeviceId>(name)
    const rooms = await createRooms({
      ...{ self, store, clock: browser.clock, log: silentLogger },
      random: createSeededRandom(`${name} ${String(seed)} ${String(runs++)}`),
      directory: {
        self: DEVICES[name].id,
        list: () => [...records.values()],
        create({ people }) {
          const id = asId<RoomId>(`made-${String(records.size)}`)
          records.set(id, recordOf(id, [DEVICES[name].id, ...people]))
          directoryChanges.emit()
          return Promise.resolve(id)
        },
        leave(room) {
          records.delete(room)
          directoryChanges.emit()
          return Promise.resolve()
        },
        personOf: (device) => DEVICES[device as unknown as keyof typeof DEVICES].id,
        nameOf: (person) => [ALICE, BOB].find(({ id }) => id === person)?.name,
        changes: directoryChanges,
      },
      openDocument: (room) => Promise.resolve(documentOf(room, self, tab)),
      weigh: (room) => Promise.resolve(weights.get(room) ?? 0),
      version: (room) => Promise.resolve(networkOf(room).version(self)),
      news: {
        subscribe: (listener) =>
          news.subscribe(({ room, to, author }) => {
            if (to === self) listener({ room, by: new Set([DEVICES[author as unknown as keyof typeof DEVICES].id]) })
          }),
      },
      ask() {
        const events = createQueue<AskEvent>(10_000)
        asks.push(events)
        return events
      },
    })
    return {
      rooms,
      people: () => [ALICE, BOB],
      person: (id) => [ALICE, BOB].find((person) => person.id === id),
      device: () => undefined,
      known: () => ({
        people: [ALICE, BOB],
        devices: [{ id: self, name: 'Browser', person: ALICE.id, state: 'online', answers: false }],
      }),
      changes: directoryChanges,
    }
  }

  const networkOf = (room: RoomId): RoomNetwork => {
    const known = networks.get(room)
    if (known !== undefined) return known
    const network = createRoomNetwork(createSeededRandom(`${room} ${String(seed)}`), browser.clock)
    network.came.subscribe(({ to, author }) => {
      news.emit({ room, to, author })
    })
    networks.set(room, network)
    return network
  }

  const documentOf = (room: RoomId, device: DeviceId, tab: Tab | undefined): RoomDocument => {
    const document = networkOf(room).document(device)
    if (tab === undefined) return document
    return {
      ...document,
      async write(operations, options) {
        await document.write(operations, options)
        world.onWrite?.(tab)
      },
    }
  }

  const browser: Browser = openBrowser(undefined, async (options, tab) => {
    await world.gate
    return openRooms('12D3KooWBrowser', options.store, tab)
  })
  const recordOf = (id: RoomId, people: readonly PersonId[]): RoomRecord => ({
    id,
    history: 'all',
    createdAt: browser.clock.now(),
    createdBy: ALICE.id,
    people: people.map((person) => ({ person, since: browser.clock.now() })),
    devices: [asId<DeviceId>('12D3KooWBrowser'), asId<DeviceId>('12D3KooWBobPhone')],
  })
  const records = new Map<RoomId, RoomRecord>([[ROOM, recordOf(ROOM, [ALICE.id, BOB.id])]])
  const bob = await openRooms('12D3KooWBobPhone', createMemoryStore())
  await bob.rooms.open(ROOM)

  const world: RoomsWorld = {
    browser,
    bob: bob.rooms,
    asks,
    weights,
    onWrite: undefined,
    gate: undefined,
    async calm() {
      for (let round = 0; round < 3; round++) {
        await settle()
        for (const network of networks.values()) network.deliverAll()
        await browser.clock.advanceAsync(50)
      }
    },
  }
  return world
}
