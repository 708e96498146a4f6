import {
  asMeshError,
  createEvents,
  asId,
  type DeviceId,
  type DocumentId,
  type Logger,
  type RoomId,
  type ScopeId,
} from './base/index.ts'
import { roomScope } from './identity/index.ts'
import { decodeRoomEntry, encodeRoomEntry } from './room-entries.ts'
import { isEntryIdOf, type DocumentChange, type RoomDocument, type StoredOperation } from './state/index.ts'
import { documentKey, type Document, type DocumentName, type Documents, type Syncer } from './sync/index.ts'

interface Cancellable {
  readonly signal?: AbortSignal | undefined
}

interface DocumentPorts {
  readonly self: DeviceId
  readonly documents: Documents
  readonly syncer: Syncer
  readonly log: Logger
}

/** True for the id of the document a room has. */
export function isRoomDocument(id: DocumentId, room: RoomId): boolean {
  return asId<DocumentId>(room) === id
}

/** About how much memory a room takes once it is open, in bytes; told without opening it. 0 for one of which nothing is here. */
export async function weighRoom(
  { documents }: Pick<DocumentPorts, 'documents'>,
  room: RoomId,
  options: Cancellable = {},
): Promise<number> {
  const replica = await documents.replica(documentKey(nameOf(room)), options)
  return replica?.weight() ?? 0
}

function nameOf(room: RoomId): DocumentName {
  return { id: asId<DocumentId>(room), kind: 'operations', scope: asId<ScopeId>(roomScope(room)) }
}

/** The shared document of a room as the room reads it: its own ids, its own authors, and nothing another could have named. */
export async function openRoomDocument(
  ports: DocumentPorts,
  room: RoomId,
  options: Cancellable = {},
): Promise<RoomDocument> {
  const name = nameOf(room)
  const shared = await ports.documents.open(name.id, name, options)
  try {
    const holdersOf = await ports.syncer.holders(name, options)
    return createRoomDocument(ports, shared, name, holdersOf)
  } catch (error) {
    shared.close()
    throw error
  }
}

interface HeldOperation extends StoredOperation {
  /** The entry of the document it came in. */
  readonly entry: string
}

function createRoomDocument(
  ports: DocumentPorts,
  shared: Document,
  name: DocumentName,
  holdersOf: (entry: string) => readonly DeviceId[],
): RoomDocument {
  const { self, syncer, log } = ports
  const onListenerError = (error: unknown): void => {
    log.error('a listener of a room’s document failed', { error })
  }
  const changes = createEvents<DocumentChange>(onListenerError)
  const heard = createEvents<void>(onListenerError)
  const operations = new Map<string, HeldOperation>()
  const idOf = new Map<string, string>()
  const documentName = documentKey(name)
  let isPresent = false

  const takeIn = (key: string, stored: StoredOperation | undefined): string | undefined => {
    if (stored === undefined) return undefined
    try {
      const { id, operation } = decodeRoomEntry(stored.bytes)
      // an id of another author's would push that author's own operation out
      if (!isEntryIdOf(id, stored.author) || operations.has(id)) return undefined
      operations.set(id, { bytes: operation, author: stored.author, at: stored.at, entry: key })
      idOf.set(key, id)
      return id
    } catch (error) {
      log.warn('an entry of a room could not be read', { author: stored.author, error: asMeshError(error).message })
      return undefined
    }
  }

  const forget = (key: string): string | undefined => {
    const id = idOf.get(key)
    if (id === undefined) return undefined
    idOf.delete(key)
    operations.delete(id)
    return id
  }

  for (const [key, stored] of shared.operations()) takeIn(key, stored)
  const endDocument = shared.changes.subscribe(({ added, erased, author }) => {
    changes.emit({
      added: added.flatMap((key) => takeIn(key, shared.operations().get(key)) ?? []),
      erased: erased.flatMap((key) => forget(key) ?? []),
      author,
    })
  })
  const endReceipts = syncer.received.subscribe((key) => {
    if (key === documentName) changes.emit({ added: [], erased: [], author: self })
  })
  const endPresence = syncer.presence.heard.subscribe((key) => {
    if (key === documentName) heard.emit()
  })

  return {
    operations: () => operations,
    async write(given, options = {}) {
      await shared.write(
        given.map(({ id, bytes: operation }) => ({ bytes: encodeRoomEntry({ id, operation }) })),
        options,
      )
    },
    async erase(id, options = {}) {
      const held = operations.get(id)
      if (held !== undefined) await shared.erase([held.entry], options)
    },
    changes,
    isDamaged: () => shared.isDamaged(),
    durableOn(id) {
      const held = operations.get(id)
      return new Set(held === undefined ? [] : holdersOf(held.entry))
    },
    awareness: {
      set(presence) {
        isPresent = true
        syncer.presence.set(name, presence)
      },
      states: () =>
        new Map(
          [...syncer.presence.others(name)].map(([device, { bytes: told, heardAt }]) => [
            device,
            { bytes: told, at: heardAt },
          ]),
        ),
      changes: heard,
    },
    close() {
      endDocument()
      endReceipts()
      endPresence()
      // the room may be open elsewhere on this device: what was told there stands
      if (isPresent) syncer.presence.set(name, undefined)
      shared.close()
      return Promise.resolve()
    },
  }
}
