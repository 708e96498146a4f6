import {
  asMeshError,
  type Clock,
  type DeviceId,
  type Logger,
  type PersonId,
  type Random,
  type RoomId,
} from '../../base/index.ts'
import { foldOf, originsOf, reauthor, type ArchivedRoom } from './archived.ts'
import type { RoomDirectory } from './directory.ts'
import type { RoomDocument } from './document.ts'
import { entryId } from '../entry-id.ts'
import type { RoomFold } from './fold.ts'
import { encodeRoomOperation } from './operations.ts'
import type { RoomRecord } from './rooms.ts'

interface Cancellable {
  readonly signal?: AbortSignal | undefined
}

/** What became of an archived room. `known`: everything of it was here. */
export type Taken = 'made' | 'grown' | 'known'

/** Rooms on their way out of this device and into it. */
export interface RoomArchives {
  /** Every room of this person, one after the other, as far as this device can read it. @throws MeshError of the Store */
  archived(options?: Cancellable): AsyncIterable<ArchivedRoom>
  /**
   * Brings archived rooms into the mesh this device is in now: each whole or not at all,
   * and what came in an earlier time is not doubled.
   * @throws MeshError of the Store, `unauthorized` or `conflict` where this person may make no room
   */
  importer(options?: Cancellable): Promise<{ take(room: ArchivedRoom, options?: Cancellable): Promise<Taken> }>
}

interface ArchivesPorts {
  readonly self: DeviceId
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
  readonly directory: RoomDirectory
  openDocument(room: RoomId, options?: Cancellable): Promise<RoomDocument>
  /** The room has other content than the list knows. */
  lookAgain(room: RoomId): Promise<void>
}

/** See {@link RoomArchives}. */
export function createRoomArchives(ports: ArchivesPorts): RoomArchives {
  const { self, directory, log } = ports
  const personOf = (device: DeviceId): PersonId | undefined => directory.personOf(device)

  const reading = async <Value>(
    room: RoomId,
    options: Cancellable,
    work: (shared: RoomDocument, fold: RoomFold) => Value | Promise<Value>,
  ): Promise<Value> => {
    const shared = await ports.openDocument(room, options)
    try {
      return await work(shared, foldOf(operationsOf(shared)))
    } finally {
      await shared.close()
    }
  }

  const archivedRoom = (record: RoomRecord, shared: RoomDocument, fold: RoomFold): ArchivedRoom => {
    // nobody could tell from an archive what came late: what it does not do is left out
    const operations = operationsOf(shared)
      .filter(({ id, timing }) => timing !== 'late' || fold.counts(id))
      .map(({ id, bytes, author, at }) => ({ id, bytes, author, at }))
    const devices = new Map<DeviceId, PersonId>()
    for (const { author } of operations) {
      const person = personOf(author)
      if (person !== undefined) devices.set(author, person)
    }
    const people = new Set([...record.people.map(({ person }) => person), ...devices.values()])
    return {
      id: record.id,
      history: record.history,
      createdAt: record.createdAt,
      self: directory.self,
      people: [...people].map((id) => ({ id, name: directory.nameOf(id) ?? '' })),
      devices: [...devices].map(([id, person]) => ({ id, person })),
      operations,
    }
  }

  const write = async (room: ArchivedRoom, target: RoomId, options: Cancellable): Promise<number> =>
    reading(target, options, async (shared, fold) => {
      const newId = (): string => entryId(ports.clock.now(), ports.random, self)
      const written = reauthor(room, { target: fold, self, personOf, newId })
      if (written.length === 0) return 0
      await shared.write(
        written.map(({ id, happening }) => ({ id, bytes: encodeRoomOperation(happening) })),
        options,
      )
      return written.length
    })

  const make = async (room: ArchivedRoom, blank: RoomId | undefined, options: Cancellable): Promise<RoomId> => {
    const target = blank ?? (await directory.create({ people: [], history: room.history, ...options }))
    try {
      await write(room, target, options)
    } catch (error) {
      // a room with nothing in it is nothing to see
      await directory.leave(target).catch((failure: unknown) => {
        log.warn('an empty room could not be taken back', { error: asMeshError(failure).message })
      })
      throw error
    }
    return target
  }

  return {
    async *archived(options = {}) {
      for (const record of directory.list()) {
        yield await reading(record.id, options, (shared, fold) => archivedRoom(record, shared, fold))
      }
    },
    async importer(options = {}) {
      const targets = new Map<RoomId, RoomId>()
      const blanks: RoomId[] = []
      for (const record of directory.list()) {
        await reading(record.id, options, (shared, fold) => {
          for (const origin of originsOf(fold, self, personOf)) targets.set(origin, record.id)
          // made for an import that was cut short
          if (record.madeOn === self && record.people.length === 1 && shared.operations().size === 0) {
            blanks.push(record.id)
          }
        })
      }
      return {
        async take(room, how = {}) {
          // its own words are here, or on their way from whoever has them
          if (directory.list().some((record) => record.id === room.id)) return 'known'
          const target = targets.get(room.id)
          if (target !== undefined) {
            if ((await write(room, target, how)) === 0) return 'known'
            await ports.lookAgain(target)
            return 'grown'
          }
          if (room.operations.length === 0) return 'known'
          const made = await make(room, blanks.pop(), how)
          targets.set(room.id, made)
          await ports.lookAgain(made)
          return 'made'
        },
      }
    },
  }
}

function operationsOf(shared: RoomDocument): ArchivedRoom['operations'] {
  return [...shared.operations()].map(([id, { bytes, author, at, timing }]) => ({ id, bytes, author, at, timing }))
}
