import * as z from 'zod/mini'
import {
  asId,
  asMeshError,
  CHAT_ID_MAX_LENGTH,
  CHAT_PIECE_MAX_BYTES,
  MeshError,
  SYNC_OPERATION_MAX_BYTES,
  type ChatId,
  type DeviceId,
  type DocumentId,
  type EventSource,
  type Logger,
  type MeshId,
  type ScopeId,
} from './base/index.ts'
import type { ChatDocument, ChatDocuments, ChatEntry } from './state/index.ts'
import { documentKey, entryKey, entryPlace, type Document, type DocumentName, type Documents } from './sync/index.ts'
import { bytes, decode, encode, text, whole } from './wire/index.ts'

/** Largest operation of a chat in pieces: 16 MiB of the longest answer, and its piece that is not full. */
const PIECES_MAX = Math.ceil((16 * 1024 * 1024) / CHAT_PIECE_MAX_BYTES) + 1

/** An operation under its own id; a large one in pieces: the n-th of so many. */
const entrySchema = z.object({
  i: text(64).check(z.regex(/^[a-z0-9][a-z0-9-]*$/)),
  n: z.optional(whole(PIECES_MAX - 1)),
  of: z.optional(whole(PIECES_MAX)),
  o: bytes(SYNC_OPERATION_MAX_BYTES),
})

interface Cancellable {
  readonly signal?: AbortSignal | undefined
}

/** Where the chats of this device's person are shared now. */
export interface ChatPlace {
  readonly scope: ScopeId
  /** What their documents’ ids begin with: a person may have the same id in another mesh, with other keys. */
  readonly prefix: string
  /** Another text whenever this device can open something else. */
  readonly keys: string
}

/** Enough of the mesh's name that no two of a person's are alike. */
const MESH_NAME_LENGTH = 12

/** What the ids of documents of chats begin with in a mesh. */
export function chatPrefix(mesh: MeshId): string {
  return `chat-${mesh.slice(0, MESH_NAME_LENGTH)}-`
}

/** True for the id of a document that a chat of this mesh can have. */
export function isChatDocument(id: DocumentId, mesh: MeshId): boolean {
  const prefix = chatPrefix(mesh)
  return id.startsWith(prefix) && isChatId(id.slice(prefix.length))
}

function isChatId(text: string): boolean {
  return text.length <= CHAT_ID_MAX_LENGTH && /^[a-z0-9]/.test(text)
}

interface ChatDocumentsPorts {
  readonly self: DeviceId
  readonly documents: Documents
  readonly log: Logger
  /** Undefined: this device may not share chats. */
  place(): ChatPlace | undefined
  /** `place()` says something else. */
  readonly placeChanges: EventSource<void>
}

/** The documents of a person’s chats as the mirror reads them. */
export function createChatDocuments(ports: ChatDocumentsPorts): ChatDocuments {
  const { self, documents, log } = ports

  const nameOf = (chat: ChatId): DocumentName => {
    const place = ports.place()
    if (place === undefined) throw new MeshError('unauthorized', 'This device keeps no chats of its person.')
    if (chat.length > CHAT_ID_MAX_LENGTH)
      throw new MeshError('too-large', 'This chat cannot go to other devices: its name is too long.')
    return { id: asId<DocumentId>(place.prefix + chat), kind: 'operations', scope: place.scope }
  }

  const chatOf = (name: DocumentName): ChatId | undefined => {
    const place = ports.place()
    if (place?.scope !== name.scope || name.kind !== 'operations' || !name.id.startsWith(place.prefix)) return undefined
    const chat = name.id.slice(place.prefix.length)
    return isChatId(chat) ? asId<ChatId>(chat) : undefined
  }

  return {
    self,
    mayShare: () => ports.place() !== undefined,
    list: () => documents.list().flatMap((name) => chatOf(name) ?? []),
    async version(chat) {
      const replica = await documents.replica(documentKey(nameOf(chat)), {})
      return `${replica?.digest() ?? ''} ${ports.place()?.keys ?? ''}`
    },
    async open(chat, options) {
      const name = nameOf(chat)
      const shared = await documents.open(name.id, name, options)
      const forgetErased = async (how: Cancellable): Promise<void> => {
        await (await documents.replica(documentKey(name), how))?.forgetErased(how)
      }
      return createChatDocument({ self, shared, log, forgetErased })
    },
    changes: {
      subscribe(listener) {
        const ends = [
          documents.changes.subscribe(({ replica, from }) => {
            const chat = from === self ? undefined : chatOf(replica.name)
            if (chat !== undefined) listener(chat)
          }),
          ports.placeChanges.subscribe(() => {
            listener(null)
          }),
        ]
        return () => {
          for (const end of ends) end()
        }
      },
    },
  }
}

/** A piece of an operation: the n-th of so many. */
interface Piece {
  readonly id: string
  readonly author: DeviceId
  readonly n: number
  readonly of: number
  readonly bytes: Uint8Array
  /** The entry of the last piece. */
  readonly last: string
}

interface ChatDocumentPorts {
  readonly self: DeviceId
  readonly shared: Document
  readonly log: Logger
  readonly forgetErased: ChatDocument['forgetErased']
}

function createChatDocument({ self, shared, log, forgetErased }: ChatDocumentPorts): ChatDocument {
  /**
   * By the entry, or by the entry the first piece has: who writes several under one id has all of
   * them here, and which counts follows from what they are.
   */
  const whole = new Map<string, ChatEntry>()
  /** Of each that is not whole its parts, by the place of the first. */
  const pieces = new Map<string, Map<string, Map<number, Uint8Array>>>()
  const held = new Map<string, { readonly id: string; readonly place: string }>()

  const judged = (key: string, author: DeviceId): Pick<ChatEntry, 'rank' | 'mayWrite' | 'timing'> => ({
    rank: () => shared.rankOf(key),
    mayWrite: () => shared.mayWrite(author),
    timing: () => shared.timingOf(key),
  })

  const takeIn = (key: string): void => {
    const stored = shared.operations().get(key)
    if (stored === undefined || held.has(key)) return
    const { author } = stored
    try {
      const {
        i: id,
        n,
        of,
        o,
      } = decode(stored.bytes, entrySchema, {
        maxBytes: SYNC_OPERATION_MAX_BYTES,
        what: 'An entry of a chat',
      })
      const place = n === undefined || of === undefined ? key : placeOfFirst(key, n)
      if (place === undefined) return
      held.set(key, { id, place })
      if (n === undefined || of === undefined) whole.set(place, { id, bytes: o, author, ...judged(key, author) })
      else joinPieces(place, { id, author, n, of, bytes: o, last: keyOfLast(key, n, of) })
    } catch (error) {
      log.warn('an entry of a chat could not be read', { author, error: asMeshError(error).message })
    }
  }

  const joinPieces = (first: string, { id, author, n, of, bytes: part, last }: Piece): void => {
    if (n >= of) return
    const begun = pieces.get(first) ?? new Map<string, Map<number, Uint8Array>>()
    const parts = begun.get(`${id} ${String(of)}`) ?? new Map<number, Uint8Array>()
    pieces.set(first, begun.set(`${id} ${String(of)}`, parts))
    parts.set(n, part)
    if (parts.size < of) return
    const inOrder = [...parts].sort(([a], [b]) => a - b).map(([, bytesOf]) => bytesOf)
    // it is there when its last piece is
    whole.set(first, { id, author, bytes: joined(inOrder), ...judged(last, author) })
    pieces.delete(first)
  }

  const forget = (key: string): void => {
    const known = held.get(key)
    if (known === undefined) return
    held.delete(key)
    whole.delete(known.place)
    pieces.delete(known.place)
  }

  for (const key of shared.operations().keys()) takeIn(key)
  const end = shared.changes.subscribe(({ added, erased }) => {
    for (const key of erased) forget(key)
    for (const key of added) takeIn(key)
  })

  return {
    entries: () => whole.values(),
    async write(entries, options: Cancellable) {
      await shared.write(
        entries.flatMap(({ id, bytes: operation }) =>
          inPieces(id, operation).map((piece) => ({ bytes: encode(piece) })),
        ),
        options,
      )
    },
    async eraseOwn(but, options) {
      const own = [...held].flatMap(([key, { id }]) =>
        shared.operations().get(key)?.author === self && id !== but ? [key] : [],
      )
      if (own.length > 0) await shared.erase(own, options)
      return own.length > 0
    },
    forgetErased,
    close() {
      end()
      shared.close()
    },
  }
}

/** The pieces of one operation lie one after the other in what their author signed. */
function placeOfFirst(key: string, n: number): string | undefined {
  const place = entryPlace(key)
  return place === undefined || place.clock < n ? undefined : `pieces ${String(place.chain)} ${String(place.clock - n)}`
}

function keyOfLast(key: string, n: number, of: number): string {
  const place = entryPlace(key)
  return place === undefined ? key : entryKey(place.chain, place.clock - n + of - 1)
}

function inPieces(id: string, operation: Uint8Array): z.input<typeof entrySchema>[] {
  const of = Math.ceil(operation.byteLength / CHAT_PIECE_MAX_BYTES)
  if (of <= 1) return [{ i: id, o: operation }]
  return Array.from({ length: of }, (_, n) => ({
    ...{ i: id, n, of },
    o: operation.subarray(n * CHAT_PIECE_MAX_BYTES, (n + 1) * CHAT_PIECE_MAX_BYTES),
  }))
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.byteLength, 0))
  let at = 0
  for (const part of parts) {
    all.set(part, at)
    at += part.byteLength
  }
  return all
}
