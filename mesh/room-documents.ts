import * as z from 'zod/mini'
import {
  asMeshError,
  createEvents,
  asId,
  SYNC_OPERATION_MAX_BYTES,
  type DeviceId,
  type DocumentId,
  type Logger,
  type RoomId,
  type ScopeId,
} from './base/index.ts'
import { roomScope } from './identity/index.ts'
import { isEntryIdOf, type DocumentChange, type RoomDocument, type StoredOperation } from './state/index.ts'
import { documentKey, type Document, type DocumentName, type Documents, type Syncer } from './sync/index.ts'
import { bytes, decode, encode, text } from './wire/index.ts'

// the document names its entries by itself; a room has to know a name before it is written
const entry = z.object({ i: text(64).check(z.regex(/^[a-z0-9][a-z0-9-]*$/)), o: bytes(SYNC_OPERATION_MAX_BYTES) })

interface Cancellable {
  readonly signal?: AbortSignal | undefined
}

interface DocumentPorts {
  readonly self: DeviceId
  readonly documents: Documents
  readonly syncer: Syncer
  readonly log: Logger
}

/** The shared document of a room as the room reads it: its own ids, its own authors, and nothing another could have named. */
export async function openRoomDocument(
  ports: DocumentPorts,
  room: RoomId,
  options: Cancellable = {},
): Promise<RoomDocument> {
  const name = { id: asId<DocumentId>(room), kind: 'operations', scope: asId<ScopeId>(roomScope(room)) } as const
  const shared = await ports.documents.open(name.id, name, options)
  return createRoomDocument(ports, shared, name)
}

function createRoomDocument(ports: DocumentPorts, shared: Document, name: DocumentName): RoomDocument {
  const { self, syncer, log } = ports
  const onListenerError = (error: unknown): void => {
    log.error('a listener of a room’s document failed', { error })
  }
  const changes = createEvents<DocumentChange>(onListenerError)
  const heard = createEvents<void>(onListenerError)
  const operations = new Map<string, StoredOperation>()
  /** The entry of the document behind each operation, and back. */
  const entryOf = new Map<string, string>()
  const idOf = new Map<string, string>()
  /** Who told that they hold an operation, as far as it was looked up. */
  const holders = new Map<string, { devices: ReadonlySet<DeviceId>; isFresh: boolean }>()
  const documentName = documentKey(name)

  const takeIn = (key: string): string | undefined => {
    const stored = shared.operations().get(key)
    if (stored === undefined) return undefined
    try {
      const read = decode(stored.bytes, entry, { maxBytes: SYNC_OPERATION_MAX_BYTES, what: 'An entry of a room' })
      // an id of another author's would push that author's own operation out
      if (!isEntryIdOf(read.i, stored.author) || operations.has(read.i)) return undefined
      operations.set(read.i, { bytes: read.o, author: stored.author, at: stored.at })
      entryOf.set(read.i, key)
      idOf.set(key, read.i)
      return read.i
    } catch (error) {
      log.warn('an entry of a room could not be read', { author: stored.author, error: asMeshError(error).message })
      return undefined
    }
  }

  const forget = (key: string): string | undefined => {
    const id = idOf.get(key)
    if (id === undefined) return undefined
    idOf.delete(key)
    entryOf.delete(id)
    operations.delete(id)
    return id
  }

  for (const key of shared.operations().keys()) takeIn(key)
  const endDocument = shared.changes.subscribe(({ added, erased, author }) => {
    changes.emit({
      added: added.flatMap((key) => takeIn(key) ?? []),
      erased: erased.flatMap((key) => forget(key) ?? []),
      author,
    })
  })
  const tellReceipts = (): void => {
    changes.emit({ added: [], erased: [], author: self })
  }
  const endReceipts = syncer.received.subscribe((key) => {
    if (key !== documentName || holders.size === 0) return
    for (const known of holders.values()) known.isFresh = false
    tellReceipts()
  })
  const lookUp = async (id: string, key: string): Promise<void> => {
    const devices = new Set(await syncer.holders(name, key))
    const known = holders.get(id)
    if (known === undefined || known.devices.size === devices.size) return
    known.devices = devices
    tellReceipts()
  }
  const endPresence = syncer.presence.heard.subscribe((key) => {
    if (key === documentName) heard.emit()
  })

  return {
    operations: () => operations,
    async write(given, options = {}) {
      await shared.write(
        given.map(({ id, bytes: operation }) => ({ bytes: encode({ i: id, o: operation }) })),
        options,
      )
    },
    async erase(id, options = {}) {
      const key = entryOf.get(id)
      if (key !== undefined) await shared.erase([key], options)
    },
    changes,
    durableOn(id) {
      const key = entryOf.get(id)
      if (key === undefined) return new Set()
      const known = holders.get(id) ?? { devices: new Set<DeviceId>(), isFresh: false }
      if (!known.isFresh) {
        known.isFresh = true
        holders.set(id, known)
        lookUp(id, key).catch((error: unknown) => {
          log.warn('who holds a message could not be looked up', { error: asMeshError(error).message })
        })
      }
      return known.devices
    },
    awareness: {
      set(presence) {
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
      syncer.presence.set(name, undefined)
      shared.close()
      return Promise.resolve()
    },
  }
}
