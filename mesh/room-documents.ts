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
import {
  createVersions,
  isEntryIdOf,
  noChange,
  type DocumentChange,
  type RoomDocument,
  type StoredOperation,
} from './state/index.ts'
import {
  documentKey,
  entryPlace,
  type Document,
  type DocumentName,
  type Documents,
  type Replica,
  type Syncer,
} from './sync/index.ts'

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

/** The room whose document it is. */
export function roomOf({ id, kind, scope }: DocumentName): RoomId | undefined {
  const room = asId<RoomId>(id)
  return kind === 'operations' && scope === asId<ScopeId>(roomScope(room)) ? room : undefined
}

/** Another text whenever the document of a room holds something else, or can be read with other keys; empty: there is none. */
export async function versionOfRoom(
  documents: Documents,
  room: RoomId,
  keys: number,
  options: Cancellable = {},
): Promise<string> {
  const key = documentKey(nameOf(room))
  if (!documents.holds(key)) return ''
  const replica = await documents.replica(key, options)
  return replica === undefined ? '' : `${replica.digest()} ${String(keys)}`
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
    const replica = await ports.documents.replica(documentKey(name), options)
    return createRoomDocument(ports, { shared, replica, name, holdersOf })
  } catch (error) {
    shared.close()
    throw error
  }
}

interface SharedParts {
  readonly shared: Document
  readonly replica: Replica | undefined
  readonly name: DocumentName
  readonly holdersOf: (entry: string) => readonly DeviceId[]
}

function createRoomDocument(ports: DocumentPorts, { shared, replica, name, holdersOf }: SharedParts): RoomDocument {
  const { self, syncer, log } = ports
  const onListenerError = (error: unknown): void => {
    log.error('a listener of a room’s document failed', { error })
  }
  const changes = createEvents<DocumentChange>(onListenerError)
  const heard = createEvents<void>(onListenerError)
  /** While much is judged at once: asked for each of its operations. */
  let rights: Map<DeviceId, boolean> | undefined
  const mayWrite = (author: DeviceId): boolean => {
    const known = rights?.get(author) ?? shared.mayWrite(author)
    rights?.set(author, known)
    return known
  }
  const versions = createVersions({
    rankOf: (entry) => shared.rankOf(entry),
    chainOf: (entry) => entryPlace(entry)?.chain,
    timingOf(entry) {
      const author = shared.operations().get(entry)?.author
      if (author === undefined || mayWrite(author)) return undefined
      const timing = shared.timingOf(entry)
      return timing === 'before' ? undefined : timing
    },
  })
  const atOnce = (work: () => void): void => {
    rights = new Map()
    work()
    rights = undefined
  }
  const documentName = documentKey(name)
  let isPresent = false

  const takeIn = (entry: string, stored: StoredOperation | undefined, change = noChange()): void => {
    if (stored === undefined) return
    try {
      const { id, operation } = decodeRoomEntry(stored.bytes)
      // an id of another author's would push that author's own operation out
      if (!isEntryIdOf(id, stored.author)) return
      versions.add(id, { bytes: operation, author: stored.author, at: stored.at, entry }, change)
    } catch (error) {
      log.warn('an entry of a room could not be read', { author: stored.author, error: asMeshError(error).message })
    }
  }

  atOnce(() => {
    for (const [entry, stored] of shared.operations()) takeIn(entry, stored)
  })
  const endDocument = shared.changes.subscribe(({ added, erased, author }) => {
    const change = noChange()
    for (const entry of erased) versions.remove(entry, change)
    atOnce(() => {
      for (const entry of added) takeIn(entry, shared.operations().get(entry), change)
    })
    changes.emit({ added: [...change.added], erased: [...change.erased], author })
  })
  const endJudgements = shared.judgements.subscribe(({ chains }) => {
    const change = noChange()
    atOnce(() => {
      versions.rankAnew(change)
      versions.judgeAnew(change, chains)
    })
    if (change.added.size > 0) changes.emit({ added: [...change.added], erased: [...change.erased], author: self })
  })
  const endReceipts = syncer.received.subscribe((key) => {
    if (key === documentName) changes.emit({ added: [], erased: [], author: self })
  })
  const endPresence = syncer.presence.heard.subscribe((key) => {
    if (key === documentName) heard.emit()
  })

  return {
    operations: () => versions.standing,
    isOneWrite(first, second) {
      if (!versions.isAlone(first) || !versions.isAlone(second)) return false
      const [one, other] = [versions.standing.get(first), versions.standing.get(second)]
      const [before, after] = [entryPlace(one?.entry ?? ''), entryPlace(other?.entry ?? '')]
      if (before === undefined || before.chain !== after?.chain || before.clock + 1 !== after.clock) return false
      const envelopeOf = ({ entry = '' }: { readonly entry?: string } = {}): number | undefined =>
        replica?.placeOf(entry)?.sequence
      return envelopeOf(one) === envelopeOf(other)
    },
    async write(given, options = {}) {
      await shared.write(
        given.map(({ id, bytes: operation }) => ({ bytes: encodeRoomEntry({ id, operation }) })),
        options,
      )
    },
    async erase(id, options = {}) {
      // all there are under it, so that none comes in its place
      const entries = versions.allOf(id).map(({ entry }) => entry)
      if (entries.length > 0) await shared.erase(entries, options)
    },
    changes,
    isDamaged: () => shared.isDamaged(),
    durableOn(id) {
      const held = versions.standing.get(id)
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
      endJudgements()
      endReceipts()
      endPresence()
      // the room may be open elsewhere on this device: what was told there stands
      if (isPresent) syncer.presence.set(name, undefined)
      shared.close()
      return Promise.resolve()
    },
  }
}
