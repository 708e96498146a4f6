import { sha256 } from '@noble/hashes/sha2.js'
import {
  CHAT_MAX_BYTES,
  CHAT_OPERATIONS_MAX,
  MeshError,
  type ChatId,
  type DeviceId,
  type Logger,
  type Store,
} from '../base/index.ts'
import { toHex } from '../wire/index.ts'
import type { ChatEntry } from './chat-entry.ts'
import {
  asMade,
  carriedBy,
  compareOperations,
  createLogOrder,
  givesWay,
  isLife,
  noteLate,
  orderOf,
  settleOperations,
  type Life,
} from './chat-operations.ts'
import { getChatRecord } from './chat-record.ts'
import { isEntryIdOf, markIn } from './entry-id.ts'
import { chatKey, chatLog, draftPrefix } from './keys.ts'
import { latenessOf, withoutLate } from './late-operations.ts'
import { lateNotes } from './late-notes.ts'
import { MIRRORED_BATCH_BYTES, MIRRORED_BATCH_ENTRIES } from './limits.ts'
import { decodeOperation, encodeOperation, type Operation } from './operations.ts'

/** Port: the shared document of one chat, open. */
export interface ChatDocument {
  /** The same object for the same entry. */
  entries(): Iterable<ChatEntry>
  /** All or none; durable when it resolves. @throws MeshError as `Document.write` */
  write(entries: readonly { readonly id: string; readonly bytes: Uint8Array }[], options: Cancellable): Promise<void>
  /** Erases what this device wrote, here and everywhere, but what is under this id. Resolves to whether there was any. */
  eraseOwn(but: string, options: Cancellable): Promise<boolean>
  /** What was erased, by whomever, leaves the disk of this device. */
  forgetErased(options: Cancellable): Promise<void>
  close(): void
}

interface Cancellable {
  readonly signal?: AbortSignal | undefined
}

/** What is known of a chat's log, so that only what is new is read. */
export interface ChatLogState {
  readonly chat: ChatId
  /** The id of the operation in the chat's record; empty: none. */
  life: string
  inLogOrder: ReturnType<typeof createLogOrder>
  readonly operations: Map<string, Held>
  /** What it says came late, see {@link lateKeyOf}. */
  readonly late: Set<string>
  sequence: number
  /** Of all that was read of it, what gave way to another since among it. */
  count: number
  sizeBytes: number
  /** Something was refused already, and told. */
  refused: boolean
}

/** Nothing of the log was read yet. */
export function startReading(chat: ChatId): ChatLogState {
  const inLogOrder = createLogOrder()
  return {
    chat,
    life: '',
    inLogOrder,
    operations: new Map(),
    late: new Set(),
    sequence: 0,
    count: 0,
    sizeBytes: 0,
    refused: false,
  }
}

interface Held {
  readonly digest: string
  readonly isCarried: boolean
}

/** An operation that came, as far as it may be taken. */
interface Arrival {
  readonly entry: ChatEntry
  readonly operation: Operation
  readonly digest: string
  /** Written by the device that made it. */
  readonly isOriginal: boolean
}

interface ReconcilePorts {
  readonly store: Store
  readonly log: Logger
  readonly self: DeviceId
}

/** What a pass changed, and what it refused for its size. */
export interface Reconciled {
  readonly toDocument: boolean
  readonly toStore: boolean
  readonly refused?: MeshError | undefined
}

type Fresh = { readonly id: string; readonly bytes: Uint8Array; readonly isCarried: boolean }

const arrivals = new WeakMap<ChatEntry, Arrival | 'skipped'>()

/**
 * Brings what is missing from each to the other, once: from the log of a chat into its
 * document, and back. Whoever was last to make or delete the chat is right. When nothing
 * was missing, both are the same.
 * @throws MeshError of the store and of the document; what was done until then stays
 */
export async function reconcileChat(
  ports: ReconcilePorts,
  { document: shared, held }: { readonly document: ChatDocument; readonly held: ChatLogState },
  options: Cancellable,
): Promise<Reconciled> {
  const { store, self } = ports
  const { chat } = held
  const record = await getChatRecord(ports, chat, options)
  const here = record === undefined ? undefined : lifeIn(record, chat)
  if ((here?.id ?? '') !== held.life) {
    held.life = here?.id ?? ''
    held.operations.clear()
    held.late.clear()
    held.inLogOrder = createLogOrder()
    held.sequence = 0
    held.count = 0
    held.sizeBytes = 0
  }
  const entries = [...shared.entries()]
  const came = entries.flatMap((entry) => arrivalOf(entry, held, ports) ?? [])
  const all = withoutLate(came)
  const right = rightful(all.filter(({ operation }) => !isLife(operation)))
  const lives = new Map<string, Lived>()
  if (here !== undefined && record !== undefined && !isLeftOut(record, here, came, all))
    lives.set(here.id, { operation: here, bytes: record })
  for (const { operation, entry, isOriginal } of rightful(all.filter((one) => isLife(one.operation))).values())
    if (isLife(operation) && (isOriginal || !lives.has(operation.id)))
      lives.set(operation.id, { operation, bytes: entry.bytes })
  const last = lastLife([...lives.values()])
  // operations of a chat that nobody made yet, as far as this device knows: its making is on its way
  if (last === undefined) return { toDocument: false, toStore: false }
  const isNew = last.bytes !== record && (record === undefined || digestOf(last.bytes) !== digestOf(record))

  if (last.operation.op === 'deleted') {
    const toStore = isNew
    if (toStore) await store.put(chatKey(chat), last.bytes, options)
    await dropContent(store, chat, options)
    // who has the chat has to hear of it before its words are gone
    const told = await writeMissing(shared, entries, [{ id: last.operation.id, bytes: last.bytes }], options)
    const erased = await shared.eraseOwn(last.operation.id, options)
    // nobody writes into it any more, so it would never be long enough to be compacted
    await shared.forgetErased(options)
    return { toDocument: told || erased, toStore }
  }

  const fresh = await readFresh(ports, held, options)
  const there = new Set(came.map(placeOf))
  const replaceable = new Map(
    [...right].filter(([id, arrival]) => !isRewriting(arrival, held.operations.get(id), there)),
  )
  const wanted = wantedOf(replaceable, held)
  const digests = new Map(wanted.map(({ operation, digest }) => [operation.id, digest]))
  const lifeDigest = digestOf(last.bytes)
  const notes = notesFor(came, held, (operation) =>
    isLife(operation) ? lifeDigest : (digests.get(operation.id) ?? held.operations.get(operation.id)?.digest),
  )
  // before what they are about: it is never here without
  if (notes.length > 0) await store.append(chatLog(chat), notes, options)
  const { taken: arrived, refused } = await takeArrivals(ports, wanted, held, options)
  const taken = arrived || notes.length > 0
  if (isNew || taken) {
    const now = await getChatRecord(ports, chat, options)
    const life = now && lifeIn(now, chat)
    // deleted in the middle: the next pass sees to it
    if (life?.op === 'deleted' && life.id !== here?.id) return { toDocument: false, toStore: true }
  }
  // the record comes last: a chat that is new shows whole
  if (isNew) await store.put(chatKey(chat), last.bytes, options)
  const toDocument = await writeMissing(
    shared,
    entries,
    [{ id: last.operation.id, bytes: last.bytes }, ...fresh.filter((one) => !isOutdated(one, right.get(one.id), self))],
    options,
  )
  return { toDocument, toStore: isNew || taken, refused }
}

/** True for what gives way to what another device signed under its id. */
function isOutdated({ bytes }: Fresh, right: Arrival | undefined, self: DeviceId): boolean {
  return right?.isOriginal === true && right.entry.author !== self && right.digest !== digestOf(bytes)
}

/** Forgets what a deleted chat held. */
async function dropContent(store: Store, chat: ChatId, options: Cancellable): Promise<void> {
  if ((await store.readLog(chatLog(chat), 0, options)).length > 0) await store.dropLog(chatLog(chat), options)
  for (const { key } of await store.list(draftPrefix(chat), options)) await store.delete(key, options)
}

/** What the log has beyond what is known of it, as it goes into the document. */
async function readFresh(
  { store }: ReconcilePorts,
  held: ChatLogState,
  options: Cancellable,
): Promise<readonly Fresh[]> {
  /** By id: what is no longer right is not handed on. */
  const fresh = new Map<string, Fresh>()
  for (const { sequence, bytes } of await store.readLog(chatLog(held.chat), held.sequence, options)) {
    held.sequence = sequence
    const decoded = decodeOperation(bytes)
    if (decoded.kind === 'operation' && decoded.operation.op === 'late') {
      if (decoded.operation.chat === held.chat) noteLate(held.late, decoded.operation)
      continue
    }
    // what is damaged comes back out of the document
    if (bytes === undefined || decoded.kind !== 'operation') continue
    const placed = held.inLogOrder(decoded.operation)
    const made = asMade(placed)
    if (made?.operation.chat !== held.chat) continue
    const { id } = made.operation
    const inner =
      placed.op === 'carried' ? placed.bytes : placed === decoded.operation ? bytes : encodeOperation(placed)
    held.count += 1
    held.sizeBytes += inner.byteLength
    if (!givesWay(held.operations.get(id), made, id)) continue
    held.operations.set(id, { digest: digestOf(inner), isCarried: made.isCarried })
    fresh.set(id, { id, bytes: inner, isCarried: made.isCarried })
  }
  // nobody lends their own name to what came late
  return [...fresh.values()].filter(({ id }) => !held.late.has(id))
}

/**
 * Of what came under each id what may count: of originals that which was told first, where the device that
 * wrote them may not write any more, else that of the smallest digest; where there is none the first copy.
 */
function rightful(came: readonly Arrival[]): ReadonlyMap<string, Arrival> {
  const byId = new Map<string, Arrival>()
  for (const arrival of came) {
    const { id } = arrival.operation
    const other = byId.get(id)
    const isBetter =
      other === undefined ||
      (arrival.isOriginal && (!other.isOriginal || (markIn(id) !== undefined && isBefore(arrival, other))))
    if (isBetter) byId.set(id, arrival)
  }
  return byId
}

/**
 * True for what a device that may not write any more has in place of words that are here and that it took
 * back, or that never were in the document: it may have come only now, and nobody can tell.
 */
function isRewriting(
  { entry, operation: { id }, digest }: Arrival,
  known: Held | undefined,
  there: ReadonlySet<string>,
): boolean {
  if (known === undefined || known.isCarried || known.digest === digest || entry.mayWrite?.() !== false) return false
  return !there.has(placeOf({ operation: { id }, digest: known.digest }))
}

function placeOf({
  operation,
  digest,
}: {
  readonly operation: { readonly id: string }
  readonly digest: string
}): string {
  return `${operation.id} ${digest}`
}

/** True for a record that is in the document, and came there late: it says nothing any more. */
function isLeftOut(record: Uint8Array, { id }: Life, came: readonly Arrival[], counted: readonly Arrival[]): boolean {
  if (came.length === counted.length) return false
  const place = placeOf({ operation: { id }, digest: digestOf(record) })
  return came.some((one) => placeOf(one) === place) && !counted.some((one) => placeOf(one) === place)
}

function isBefore(one: Arrival, other: Arrival): boolean {
  const [rank, otherRank] = [rankOf(one), rankOf(other)]
  return rank === otherRank ? one.digest < other.digest : rank < otherRank
}

function rankOf({ entry }: Arrival): number {
  return entry.rank?.() ?? Infinity
}

/** What the log lacks. Under an id that is taken only the original comes, in place of what was there. */
function wantedOf(came: ReadonlyMap<string, Arrival>, held: ChatLogState): readonly Arrival[] {
  const wanted: Arrival[] = []
  for (const arrival of came.values()) {
    const { operation, digest, isOriginal } = arrival
    const known = held.operations.get(operation.id)
    if (known?.digest === digest) continue
    if (givesWay(known, { isCarried: !isOriginal }, operation.id)) wanted.push(arrival)
  }
  return wanted.sort((a, b) => compareOperations(a.operation, b.operation))
}

/** Appends to the log what it lacks. */
async function takeArrivals(
  { store, log }: ReconcilePorts,
  wanted: readonly Arrival[],
  held: ChatLogState,
  options: Cancellable,
): Promise<{ readonly taken: boolean; readonly refused?: MeshError | undefined }> {
  if (wanted.length === 0) return { taken: false }
  const entries: Uint8Array[] = []
  let refused: MeshError | undefined
  let sizeBytes = held.sizeBytes
  for (const { entry, operation, isOriginal } of wanted) {
    if (held.count + entries.length >= CHAT_OPERATIONS_MAX || sizeBytes + entry.bytes.byteLength > CHAT_MAX_BYTES) {
      refused = tooLarge(held)
      break
    }
    sizeBytes += entry.bytes.byteLength
    entries.push(isOriginal ? entry.bytes : carriedBy(entry.author, operation, entry.bytes))
  }
  if (refused !== undefined && !held.refused) log.warn('a chat of another device is too large', { chat: held.chat })
  const isTold = held.refused
  held.refused ||= refused !== undefined
  for (const batch of batchesOf(entries, (bytes) => bytes.byteLength))
    await store.append(chatLog(held.chat), batch, options)
  return { taken: entries.length > 0, refused: isTold ? undefined : refused }
}

function tooLarge({ chat }: ChatLogState): MeshError {
  return new MeshError('too-large', 'A chat of another device is too large. What came first of it is here.', {
    detail: { chat, maxOperations: CHAT_OPERATIONS_MAX, maxBytes: CHAT_MAX_BYTES },
  })
}

/** What the log does not say yet of what came late, or came late as it seemed, by what the document says now. */
function notesFor(
  came: readonly Arrival[],
  held: ChatLogState,
  digestFor: (operation: Operation) => string | undefined,
): readonly Uint8Array[] {
  const counted = came.filter((one) => digestFor(one.operation) === one.digest)
  return lateNotes(held, latenessOf(counted))
}

/** Writes into the document what of the log it lacks. */
async function writeMissing(
  shared: ChatDocument,
  entries: readonly ChatEntry[],
  here: readonly { readonly id: string; readonly bytes: Uint8Array; readonly isCarried?: boolean }[],
  options: Cancellable,
): Promise<boolean> {
  const there = new Map<string, Set<string>>()
  for (const entry of entries) {
    const arrival = arrivals.get(entry)
    if (arrival === undefined || arrival === 'skipped') continue
    const known = there.get(entry.id) ?? new Set()
    there.set(entry.id, known.add(arrival.digest))
  }
  const missing = here.filter(({ id, bytes, isCarried }) =>
    isCarried === true ? !there.has(id) : there.get(id)?.has(digestOf(bytes)) !== true,
  )
  for (const batch of batchesOf(missing, ({ bytes }) => bytes.byteLength)) await shared.write(batch, options)
  return missing.length > 0
}

/** What an entry of another device says, once; undefined for what is not taken. */
function arrivalOf(entry: ChatEntry, { chat }: ChatLogState, { self, log }: ReconcilePorts): Arrival | undefined {
  const known = arrivals.get(entry)
  if (known !== undefined) return known === 'skipped' ? undefined : known
  const { id, author, bytes } = entry
  const decoded = decodeOperation(bytes)
  const operation = decoded.kind === 'operation' ? decoded.operation : undefined
  const isOfChat = operation?.chat === chat && operation.id === id
  if (operation === undefined || !isOfChat || NOT_SHARED.has(operation.op)) {
    if (decoded.kind !== 'newer') log.warn('an entry of a chat is none and was skipped', { chat, author })
    arrivals.set(entry, 'skipped')
    return undefined
  }
  const isOriginal = isEntryIdOf(id, author) || (author === self && markIn(id) === undefined)
  const arrival = { entry, operation, digest: digestOf(bytes), isOriginal }
  arrivals.set(entry, arrival)
  return arrival
}

interface Lived {
  readonly operation: Life
  readonly bytes: Uint8Array
}

/** The last word on whether there is this chat. At the end of all places what saw the other counts, and then deleting. */
function lastLife(lives: readonly Lived[]): Lived | undefined {
  const placed = lives.map((life) => ({ ...life, order: orderOf(life.operation), level: 0 }))
  settleOperations(placed)
  return placed.sort((a, b) => a.level - b.level || compareLives(a.operation, b.operation)).at(-1)
}

function compareLives(a: Life, b: Life): number {
  return orderOf(a) - orderOf(b) || Number(a.op === 'deleted') - Number(b.op === 'deleted') || compareOperations(a, b)
}

function lifeIn(record: Uint8Array, chat: ChatId): Life | undefined {
  const decoded = decodeOperation(record)
  if (decoded.kind !== 'operation' || decoded.operation.chat !== chat) return undefined
  return isLife(decoded.operation) ? decoded.operation : undefined
}

const DIGEST_BYTES = 16

/** What is of this device alone. */
const NOT_SHARED: ReadonlySet<Operation['op']> = new Set(['draft', 'carried', 'late'])

function digestOf(bytes: Uint8Array): string {
  return toHex(sha256(bytes).subarray(0, DIGEST_BYTES))
}

/** In pieces that one write takes. */
function* batchesOf<Item>(items: readonly Item[], sizeOf: (item: Item) => number): Generator<readonly Item[]> {
  let batch: Item[] = []
  let sizeBytes = 0
  for (const item of items) {
    if (
      batch.length === MIRRORED_BATCH_ENTRIES ||
      (batch.length > 0 && sizeBytes + sizeOf(item) > MIRRORED_BATCH_BYTES)
    ) {
      yield batch
      batch = []
      sizeBytes = 0
    }
    batch.push(item)
    sizeBytes += sizeOf(item)
  }
  if (batch.length > 0) yield batch
}
