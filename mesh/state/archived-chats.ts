import {
  CHAT_ORDER_MAX,
  MeshError,
  silentLogger,
  wholeEntries,
  wholeRecords,
  type ChatId,
  type Logger,
  type Store,
} from '../base/index.ts'
import { toHex } from '../wire/index.ts'
import { orderOf } from './chat-operations.ts'
import { getChatRecord } from './chat-record.ts'
import { chatKey, chatLog, chatOfKey, CHAT_PREFIX, draftKey, draftPrefix } from './keys.ts'
import { decodeOperation, encodeOperation, OPERATION_VERSION, type Operation } from './operations.ts'

/** A chat as its operations: the record that says it is there, its log, and text of answers on their way. */
export interface ArchivedChat {
  readonly id: ChatId
  readonly record: Uint8Array
  readonly log: readonly Uint8Array[]
  readonly drafts: readonly Uint8Array[]
}

interface Cancellable {
  readonly signal?: AbortSignal | undefined
}

/** Every chat in a store, one after the other, as far as it is whole; deleted ones are not in it. @throws MeshError of the Store */
export async function* archivedChats(
  { store, log: logger }: { readonly store: Store; readonly log: Logger },
  options: Cancellable = {},
): AsyncGenerator<ArchivedChat> {
  for (const { key, value } of await store.list(CHAT_PREFIX, options)) {
    if (isDeleted(value)) continue
    const id = chatOfKey(key)
    const log = wholeEntries(chatLog(id), await store.readLog(chatLog(id), 0, options), logger).map(
      ({ bytes }) => bytes,
    )
    const drafts = wholeRecords(await store.list(draftPrefix(id), options), logger).map((entry) => entry.value)
    yield { id, record: value ?? madeAgain(id, log), log, drafts }
  }
}

/** In the place of a record that is damaged. */
function madeAgain(chat: ChatId, log: readonly Uint8Array[]): Uint8Array {
  const decoded = decodeOperation(log.find((bytes) => !isNote(bytes)))
  const at = decoded.kind === 'operation' ? decoded.operation.at : 0
  return encodeOperation({ v: OPERATION_VERSION, id: chat, at, op: 'chat', chat })
}

function isNote(bytes: Uint8Array): boolean {
  const decoded = decodeOperation(bytes)
  return decoded.kind === 'operation' && decoded.operation.op === 'late'
}

/** How many chats this device has; deleted ones do not count. @throws MeshError of the store */
export async function countChats(store: Store): Promise<number> {
  return (await store.list(CHAT_PREFIX)).filter(({ value }) => !isDeleted(value)).length
}

function isDeleted(record: Uint8Array | undefined): boolean {
  const decoded = decodeOperation(record)
  return decoded.kind === 'operation' && decoded.operation.op === 'deleted'
}

/**
 * Brings a chat into a store. Whoever has the chats open reads them again afterwards.
 * What is there already stays and is not doubled; a chat that is new shows whole or not at all.
 * One that was deleted is made anew: the import is what its person did last.
 * @throws MeshError `integrity` where it is no chat, and of the Store; nothing shows then
 */
export async function takeChat(
  store: Store,
  chat: ArchivedChat,
  options: Cancellable & { readonly newId: () => string; readonly log?: Logger },
): Promise<'made' | 'grown' | 'known'> {
  const record = check(chat.record, chat.id)
  if (record !== undefined && record.op !== 'chat') throw notAChat()
  const held = await store.readLog(chatLog(chat.id), 0, options)
  const known = new Set(held.flatMap(({ bytes }) => (bytes === undefined ? [] : [nameOf(bytes)])))
  const kept = await getChatRecord({ store, log: options.log ?? silentLogger }, chat.id, options)
  // a damaged one is made anew
  const before = decodeOperation(kept).kind === 'corrupt' ? undefined : kept
  const fresh = chat.log.filter((bytes) => {
    check(bytes, chat.id)
    // under one id several may lie in its log, of which the last is right
    return !known.has(nameOf(bytes))
  })
  if (fresh.length > 0) await store.append(chatLog(chat.id), fresh, options)
  const deleted = before === undefined ? undefined : tombstoneIn(before)
  if (before !== undefined && deleted === undefined) return fresh.length > 0 ? 'grown' : 'known'
  for (const bytes of chat.drafts) {
    const draft = check(bytes, chat.id)
    if (draft?.op === 'draft') await store.put(draftKey(chat.id, draft.message, draft.part), bytes, options)
  }
  // this record is what makes it a chat
  await store.put(chatKey(chat.id), deleted === undefined ? chat.record : madeAnew(), options)
  return 'made'

  function madeAnew(): Uint8Array {
    const at = record?.at ?? deleted?.at ?? 0
    const order = Math.min(deleted === undefined ? at : orderOf(deleted) + 1, CHAT_ORDER_MAX)
    const operation = { v: OPERATION_VERSION, id: options.newId(), at, order, op: 'chat', chat: chat.id } as const
    const isLast = deleted === undefined || orderOf(deleted) < order
    return encodeOperation(isLast ? operation : { ...operation, after: [deleted.id] })
  }
}

/** What an entry says; undefined where a newer version wrote it. */
function check(bytes: Uint8Array, chat: ChatId): Operation | undefined {
  const decoded = decodeOperation(bytes)
  if (decoded.kind === 'newer') return undefined
  if (decoded.kind !== 'operation' || decoded.operation.chat !== chat) throw notAChat()
  return decoded.operation
}

function nameOf(bytes: Uint8Array): string {
  const decoded = decodeOperation(bytes)
  return decoded.kind === 'operation' ? decoded.operation.id : toHex(bytes)
}

function tombstoneIn(record: Uint8Array): Operation | undefined {
  const decoded = decodeOperation(record)
  return decoded.kind === 'operation' && decoded.operation.op === 'deleted' ? decoded.operation : undefined
}

function notAChat(): MeshError {
  return new MeshError('integrity', 'A chat of this archive cannot be read.', { fault: 'user' })
}
