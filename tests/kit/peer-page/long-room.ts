import { openDB } from 'idb'
import { openStorage } from '../../../app/open-storage.ts'
import { MeshError, silentLogger, type RoomId, type Store } from '../../../mesh/base/index.ts'
import type { Mesh } from '../../../mesh/mesh-types.ts'
import type { OpenedRoom } from './peer-page.ts'

/** The sealed store of this browser, as the product opens it. */
export async function openSealedStore(name: string): Promise<Store> {
  const { store, storageProblem } = await openStorage({
    name,
    log: silentLogger,
    locks: navigator.locks,
    onBlocked(error) {
      throw error
    },
    unlock: () => Promise.reject(new MeshError('locked', 'Nobody is here to unlock it.')),
  })
  if (storageProblem !== undefined) throw storageProblem
  return store
}

/** A room with so many messages of this device, each written as a person writes it. */
export async function fillRoom({ rooms: { rooms } }: Mesh, messages: number): Promise<RoomId> {
  const room = await rooms.create({ name: 'Lake', people: [], history: 'all' })
  for (let index = 0; index < messages; index++) await rooms.say(room, textOf(index))
  return room
}

/** Opens a room and makes the view a screen is drawn from. */
export async function openRoom({ rooms: { rooms } }: Mesh, room: RoomId): Promise<OpenedRoom> {
  const startedAt = performance.now()
  await rooms.open(room)
  const openedAt = performance.now()
  const messages = rooms.get(room)?.items.length ?? 0
  return { openMs: openedAt - startedAt, viewMs: performance.now() - openedAt, messages }
}

/**
 * The same texts as plain objects in IndexedDB, unsealed: what a page without any of
 * this reads. They are written the first time. @returns ms
 */
export async function readPlainMessages(messages: number): Promise<number> {
  const database = await openDB('plain', 1, {
    upgrade(fresh) {
      const store = fresh.createObjectStore('messages')
      for (let index = 0; index < messages; index++) {
        void store.put({ id: String(index), author: 'a device', at: Date.now(), text: textOf(index) }, index)
      }
    },
  })
  const startedAt = performance.now()
  const read = await database.getAll('messages')
  const ms = performance.now() - startedAt
  if (read.length !== messages) throw new MeshError('bug', 'Not everything was read.')
  database.close()
  return ms
}

function textOf(index: number): string {
  return `Message ${String(index)}: who brings the Café pot to the lake on Saturday?`
}
