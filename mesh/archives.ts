import {
  asMeshError,
  isAbort,
  MeshError,
  type ChatId,
  type Clock,
  type Logger,
  type Random,
  type Store,
} from './base/index.ts'
import {
  aboutRecord,
  chatRecords,
  partOf,
  readAbout,
  recordRole,
  roomRecords,
  type ArchiveAboutMesh,
  type ArchivedPart,
} from './archive-records.ts'
import type {
  ArchiveContent,
  ExportOptions,
  ImportOptions,
  ImportResult,
  InspectOptions,
  MeshArchives,
} from './archive-types.ts'
import type { Membership } from './identity/index.ts'
import { openArchive, sealArchive, type ArchiveRecord } from './seal/index.ts'
import { createStaging, type Staging } from './staging.ts'
import { archivedChats, createTurns, entryId, takeChat, type RoomArchives, type Taken } from './state/index.ts'

interface Cancellable {
  readonly signal?: AbortSignal | undefined
}

interface ArchivesPorts {
  readonly store: Store
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
  readonly membership: Membership
  readonly rooms: RoomArchives
  /** A chat was brought into the store. */
  onChat(chat: ChatId): void
}

/** Archives, and what a device takes with it when it goes to another mesh. */
export interface Archives extends MeshArchives {
  /** As `Membership.adopt`; the rooms of the mesh that is left come along into the other one. */
  readonly adopt: Membership['adopt']
  /** Goes on with what an earlier run could not finish; what still fails is tried again at the next start. @throws MeshError of the store */
  resume(options?: Cancellable): Promise<void>
}

/** Exports, imports and carries the rooms and chats of this device's person. */
export function createArchives(ports: ArchivesPorts): Archives {
  const { store, clock, membership, rooms } = ports
  const log = ports.log.child('archives')
  const imports = createStaging(store, 'import', log)
  const carried = createStaging(store, 'carried', log)
  const inTurn = createTurns()

  async function* roomsOf(options: Cancellable): AsyncGenerator<ArchiveRecord> {
    for await (const room of rooms.archived(options)) yield* roomRecords(room)
  }

  async function* everything({ more = [], signal }: ExportOptions): AsyncGenerator<ArchiveRecord> {
    const own = membership.members().find((member) => member.id === membership.self)
    const about = { mesh: membership.ledger().mesh, device: membership.self, name: own?.personName ?? '' }
    yield aboutRecord({ ...about, at: Math.max(0, Math.floor(clock.now())) })
    yield* roomsOf({ signal })
    for await (const chat of archivedChats({ store, log }, { signal })) yield* chatRecords(chat)
    for (const record of more) {
      if (recordRole(record) !== 'foreign') throw new MeshError('bug', `Records of the kind ${record.kind} are taken.`)
      yield record
    }
  }

  /** Lets through what is staged, gathers what is another's, and checks that it is an archive of everything at all. */
  async function* sorted(
    records: AsyncIterable<ArchiveRecord>,
    onForeign: (record: ArchiveRecord) => void,
    onAbout?: (about: ArchiveAboutMesh) => void,
  ): AsyncGenerator<ArchiveRecord> {
    let role: ReturnType<typeof recordRole> | undefined
    for await (const record of records) {
      const next = recordRole(record)
      if (role === undefined && next !== 'about') throw notOfAll()
      if (next === 'about') {
        const about = readAbout(record)
        onAbout?.(about)
      } else if (next === 'foreign') onForeign(record)
      else if (next === 'continues' && role !== 'begins' && role !== 'continues') throw notOfAll()
      else yield record
      role = next
    }
    if (role === undefined) throw notOfAll()
  }

  const placer = async (options: Cancellable): Promise<(part: ArchivedPart) => Promise<Taken>> => {
    const importer = await rooms.importer(options)
    const newId = (): string => entryId(clock.now(), ports.random, membership.self)
    return async (part) => {
      if (part.kind === 'room') return importer.take(part.room, options)
      const taken = await takeChat(store, part.chat, { newId, log, ...options })
      if (taken !== 'known') ports.onChat(part.chat.id)
      return taken
    }
  }

  const importAll = async (bytes: AsyncIterable<Uint8Array>, options: ImportOptions): Promise<ImportResult> => {
    const { key, signal, onRecord } = options
    const foreign: ArchiveRecord[] = []
    const counts = { rooms: 0, chats: 0 }
    // what is in it shows only when all of it was read: the end may say that it is not whole
    const records = sorted(openArchive(bytes, key, { signal }), (record) => {
      foreign.push(record)
    })
    await imports.add(records, { signal })
    try {
      await imports.settle({ signal })
      const put = await placer({ signal })
      await imports.place(
        async (records) => {
          const part = partOf(records)
          if ((await put(part)) === 'known') return
          counts[part.kind === 'room' ? 'rooms' : 'chats'] += 1
        },
        { signal },
      )
    } catch (error) {
      await imports.clear()
      throw error
    }
    for (const record of foreign) onRecord?.(record)
    return counts
  }

  const inspect = async (bytes: AsyncIterable<Uint8Array>, options: InspectOptions): Promise<ArchiveContent> => {
    let about: ArchiveAboutMesh | undefined
    const counts = { rooms: 0, chats: 0 }
    const records = sorted(
      openArchive(bytes, options.key, options),
      () => {},
      (said) => (about ??= said),
    )
    for await (const { kind } of records) {
      if (kind === 'room') counts.rooms += 1
      if (kind === 'chat') counts.chats += 1
    }
    if (about === undefined) throw notOfAll()
    return { name: about.name, at: about.at, ...counts }
  }

  /** Nobody waits for it: what cannot be put in place now stays staged. */
  const tryToPlace = async (staging: Staging, options: Cancellable): Promise<void> => {
    try {
      let put: ((part: ArchivedPart) => Promise<Taken>) | undefined
      await staging.place(async (records) => {
        put ??= await placer(options)
        await put(partOf(records))
      }, options)
    } catch (error) {
      if (isAbort(error)) return
      log.warn('rooms and chats on their way into this device are not here yet; it is tried again at the next start', {
        error: asMeshError(error).message,
      })
    }
  }

  const adopt: Membership['adopt'] = async (mesh, entries, shown, options = {}) => {
    const before = membership.ledger().mesh
    if (mesh === before || membership.standing() === 'removed') return membership.adopt(mesh, entries, shown, options)
    const { signal } = options
    await carried.add(roomsOf({ signal }), { signal })
    try {
      await carried.leaving(before, { signal })
      await membership.adopt(mesh, entries, shown, options)
    } catch (error) {
      await carried.discard()
      throw error
    }
    await carried.settle({ signal })
    // the joining is done; what comes along may take its time
    await tryToPlace(carried, { signal })
  }

  return {
    exportAll: (options) => sealArchive(everything(options), options.lock, ports, options),
    inspectArchive: inspect,
    importAll: (bytes, options) => inTurn(() => importAll(bytes, options)),
    adopt: (mesh, entries, shown, options) => inTurn(() => adopt(mesh, entries, shown, options)),
    resume: (options = {}) =>
      inTurn(async () => {
        for (const staging of [imports, carried]) {
          await staging.recover(membership.ledger().mesh, options)
          await tryToPlace(staging, options)
        }
      }),
  }
}

function notOfAll(): MeshError {
  return new MeshError('integrity', 'This archive is no export of rooms and chats.', { fault: 'user' })
}
