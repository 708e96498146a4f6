import { MeshError, ROOM_MARKS_PER_DEVICE_MAX, type DeviceId, type MessageId } from '../../base/index.ts'
import type { StoredOperation } from './document.ts'
import { createOrdersSeen } from '../levels.ts'
import { createLinks, NO_LINKS, type Linked } from './links.ts'
import { createNewest, type Newest } from './newest.ts'
import { decodeRoomOperation, isRoomOperationId, type RoomOperation, type RoomOperationOf } from './operations.ts'
import { comparePlaces } from './order.ts'
import { createSuccession } from './succession.ts'

/** An operation with who wrote it, which is proven, and when, which is claimed. */
export interface RoomEntry<Operation extends RoomOperation = RoomOperation> {
  readonly id: string
  readonly operation: Operation
  readonly author: DeviceId
  /** ms since 1970 by the author's clock. */
  readonly at: number
  /** See `StoredOperation.timing`. */
  readonly timing?: StoredOperation['timing']
}

type Head = RoomOperationOf<'say'> | RoomOperationOf<'answer'>
type About = RoomOperationOf<'text' | 'delete' | 'route' | 'part' | 'end' | 'stop' | 'hide'>
type Setting = RoomOperationOf<'name'> | RoomOperationOf<'rule'>
/** What a device says that was read on its screen. */
export type ReadMark = RoomEntry<RoomOperationOf<'read'>>

/** One message or answer, and everything said about it. */
export interface MessageNode extends Linked<MessageNode> {
  readonly id: MessageId
  readonly head: RoomEntry<Head>
  /** Operations about it, by their ids. Whether they count is asked when it is shown. */
  about: ReadonlyMap<string, RoomEntry<About>>
  /** Its number on this device, for sets of messages. */
  readonly slot: number
}

/** Words of a message, or that an answer is hidden: of those that count the last is right. */
export type Said = RoomEntry<RoomOperationOf<'text' | 'hide'>>

/** It came or went, about a message that is here. */
export interface SaidChange {
  readonly node: MessageNode
  readonly entry: Said
  readonly isThere: boolean
}

/**
 * A read mark as its bytes, read anew where it does not count: what it names takes many times as much memory,
 * and a device may write any number of marks of which none but the newest few ever count.
 */
class StoredMark implements ReadMark {
  readonly id: string
  readonly author: DeviceId
  readonly at: number
  readonly #bytes: Uint8Array
  #kept: RoomOperationOf<'read'> | undefined

  constructor(id: string, { author, at, bytes }: StoredOperation, operation: RoomOperationOf<'read'>) {
    this.id = id
    this.#kept = operation
    this.author = author
    this.at = at
    this.#bytes = bytes
  }

  get operation(): RoomOperationOf<'read'> {
    return this.#kept ?? this.#read()
  }

  keep(): void {
    this.#kept ??= this.#read()
  }

  letGo(): void {
    this.#kept = undefined
  }

  #read(): RoomOperationOf<'read'> {
    const decoded = decodeRoomOperation(this.#bytes)
    if (decoded.kind === 'operation' && decoded.operation.op === 'read') return decoded.operation
    throw new MeshError('bug', 'A read mark that was read is none.')
  }
}

/** What changed since it was last asked. */
export interface FoldChange {
  /** Messages that came, went, or had something said about them. */
  readonly touched: ReadonlySet<MessageId>
  /** True when messages came or went, so that places, gaps and unread ones may be others. */
  readonly places: boolean
  /** True when what stands above a read message may be more or less than it was. */
  readonly ancestry: boolean
  /** Devices whose read marks are others now. */
  readonly marksOf: ReadonlySet<DeviceId>
  /** What was said about messages, one after the other. */
  readonly said: readonly SaidChange[]
}

/** What could not be used. Nothing of it hides anything else. */
export interface RoomHealth {
  readonly corruptOperations: number
  /** Of a newer version: kept and skipped. */
  readonly newerOperations: number
}

/**
 * A room as its operations tell it: a function of their set, so the same whatever
 * order they came in. Knows no person and no clock; what an operation may do is
 * judged by who wrote it when the room is looked at, never by an id.
 */
export interface RoomFold {
  /** Takes an operation in; one that is known changes nothing. Never throws. */
  put(id: string, stored: StoredOperation): void
  /** As if it had never been there. */
  erase(id: string): void
  entry(id: string): RoomEntry | undefined
  /** False for what came late and changes nothing, see {@link mayTouch}. */
  counts(id: string): boolean
  /** Everything in the common order. */
  readonly messages: readonly MessageNode[]
  node(id: MessageId): MessageNode | undefined
  /** Messages nobody has answered to yet: what the next message names as seen. */
  heads(): readonly MessageNode[]
  /** Messages that others name as seen and that are not here. */
  missing(): Iterable<readonly [id: MessageId, by: Iterable<MessageNode>]>
  /** The setting that stands: the last in the common order. */
  setting<Name extends Setting['op']>(name: Name): RoomEntry<RoomOperationOf<Name>> | undefined
  /** What a setting of this order has to name, so that it comes after all that are here. */
  settingsAhead(name: Setting['op'], order: number): string[]
  /** Of each device the newest read marks, which are all that count. */
  marks(): Iterable<ReadMark>
  /** Ids of all read marks of a device, those that do not count among them. */
  marksOf(device: DeviceId): readonly string[]
  /** Rooms this one is said to have been imported from. */
  readonly origins: ReadonlyMap<string, RoomEntry<RoomOperationOf<'origin'>>>
  /** The greatest order of anything here, of what is not above `latest`. */
  lastOrder(latest: number): number
  /** How many numbers were given to messages; each slot is below it. */
  readonly slots: number
  health(): RoomHealth
  takeChange(): FoldChange
}

const NOTHING_SAID: MessageNode['about'] = new Map()

/** See {@link RoomFold}. */
export function createRoomFold(): RoomFold {
  const messages = createMessageList()
  const links = createLinks<MessageNode>(({ head }) => head.operation.parents)
  const aboutOf = new Map<MessageId, Map<string, RoomEntry<About>>>()
  /** Where each operation that was taken in is. */
  const known = new Map<string, RoomEntry | undefined>()
  /** Names of a room that no other has. */
  const lateNames = createSuccession<RoomEntry<RoomOperationOf<'name'>>>()
  const settings = { name: createSuccession<RoomEntry<Setting>>(), rule: createSuccession<RoomEntry<Setting>>() }
  /** By device: all, and the few that count. What supersedes itself counts once: nobody has every mark walked again. */
  const marks = new Map<DeviceId, { readonly all: Set<string>; readonly newest: Newest<StoredMark> }>()
  /** How many marks that count name a message. */
  const marked = new Map<MessageId, number>()
  const origins = new Map<string, RoomEntry<RoomOperationOf<'origin'>>>()
  const orders = createOrdersSeen()
  let marksWithSpans = 0
  let slots = 0
  let corruptOperations = 0
  let newerOperations = 0
  let touched = new Set<MessageId>()
  let placesChanged = false
  let ancestryChanged = false
  let marksOf = new Set<DeviceId>()
  let said: SaidChange[] = []

  const noteSaid = (target: MessageId, entry: RoomEntry, isThere: boolean): void => {
    const { op } = entry.operation
    const node = op === 'text' || op === 'hide' ? links.node(target) : undefined
    if (node !== undefined) said.push({ node, entry: entry as Said, isThere })
  }

  const about = (id: MessageId): Map<string, RoomEntry<About>> => {
    let entries = aboutOf.get(id)
    if (entries === undefined) {
      entries = new Map()
      aboutOf.set(id, entries)
      const node = links.node(id)
      if (node !== undefined) node.about = entries
    }
    return entries
  }

  /** Levels and links as they follow from everything that is here. */
  const settle = (): void => {
    if (!links.settle()) return
    messages.sortAnew()
    ancestryChanged = true
    placesChanged = true
  }

  const countMarked = ({ operation }: ReadMark, step: 1 | -1): void => {
    const spans = operation.spans ?? []
    if (spans.length > 0) marksWithSpans += step
    for (const id of new Set([...operation.heads, ...spans.flat()])) {
      const count = (marked.get(id) ?? 0) + step
      if (count > 0) marked.set(id, count)
      else marked.delete(id)
    }
  }

  const marksBy = (device: DeviceId): { readonly all: Set<string>; readonly newest: Newest<StoredMark> } => {
    let own = marks.get(device)
    if (own === undefined) {
      const changed = {
        entered: (mark: StoredMark) => {
          mark.keep()
          countMarked(mark, 1)
          marksOf.add(device)
        },
        left: (mark: StoredMark) => {
          countMarked(mark, -1)
          mark.letGo()
          marksOf.add(device)
        },
      }
      const newest = createNewest<StoredMark>(ROOM_MARKS_PER_DEVICE_MAX, (a, b) => (a.id < b.id ? -1 : 1), changed)
      own = { all: new Set(), newest }
      marks.set(device, own)
    }
    return own
  }

  const addMessage = (id: MessageId, head: RoomEntry<Head>): void => {
    const node: MessageNode = {
      id,
      order: head.operation.order,
      level: 0,
      head,
      children: NO_LINKS,
      parents: NO_LINKS,
      about: aboutOf.get(id) ?? NOTHING_SAID,
      slot: slots++,
    }
    if (links.isMissing(id) || marked.has(id)) ancestryChanged = true
    links.add(node)
    const isLast = messages.add(node)
    // what comes last is within nobody's stretch
    if (marksWithSpans > 0 && !isLast) ancestryChanged = true
    touched.add(id)
    placesChanged = true
  }

  const removeMessage = (id: MessageId): void => {
    const node = links.node(id)
    if (node === undefined) return
    messages.remove(node)
    links.remove(node)
    ancestryChanged = true
    touched.add(id)
    placesChanged = true
  }

  const place = (entry: RoomEntry): void => {
    const { operation } = entry
    if ('order' in operation) orders.add(operation.order)
    switch (operation.op) {
      case 'say':
      case 'answer':
        addMessage(entry.id as MessageId, entry as RoomEntry<Head>)
        return
      case 'text':
      case 'delete':
        about(operation.message).set(entry.id, entry as RoomEntry<About>)
        noteSaid(operation.message, entry, true)
        touched.add(operation.message)
        return
      case 'route':
      case 'part':
      case 'end':
      case 'stop':
      case 'hide':
        about(operation.answer).set(entry.id, entry as RoomEntry<About>)
        noteSaid(operation.answer, entry, true)
        touched.add(operation.answer)
        return
      case 'name':
      case 'rule':
        settings[operation.op].add(entry as RoomEntry<Setting>)
        placesChanged = true
        return
      case 'read': {
        const { all, newest } = marksBy(entry.author)
        all.add(entry.id)
        newest.add(entry as StoredMark)
        if (!newest.items.includes(entry as StoredMark)) (entry as StoredMark).letGo()
        return
      }
      case 'origin':
        origins.set(entry.id, entry as RoomEntry<RoomOperationOf<'origin'>>)
        return
    }
  }

  /** Nothing but the name of a room that has none: all else is of those who stay. */
  const putLate = (entry: RoomEntry): void => {
    const isName = entry.operation.op === 'name'
    known.set(entry.id, isName ? entry : undefined)
    if (!isName) return
    lateNames.add(entry as RoomEntry<RoomOperationOf<'name'>>)
    placesChanged = true
  }

  return {
    get messages() {
      settle()
      return messages.sorted()
    },
    *marks() {
      for (const { newest } of marks.values()) yield* newest.items
    },
    marksOf: (device) => [...(marks.get(device)?.all ?? [])],
    origins,
    lastOrder: (latest) => orders.lastUpTo(latest),
    get slots() {
      return slots
    },
    put(id, stored) {
      if (known.has(id)) return
      const decoded = isRoomOperationId(id)
        ? decodeRoomOperation(stored.bytes)
        : ({ kind: 'corrupt', reason: 'an id' } as const)
      if (decoded.kind !== 'operation') {
        known.set(id, undefined)
        if (decoded.kind === 'newer') newerOperations += 1
        else corruptOperations += 1
        return
      }
      const { operation } = decoded
      const entry: RoomEntry =
        operation.op === 'read'
          ? new StoredMark(id, stored, operation)
          : { id, operation, author: stored.author, at: stored.at, timing: stored.timing }
      if (stored.timing === 'late' && isOfAll(operation)) {
        putLate(entry)
        return
      }
      known.set(id, entry)
      place(entry)
    },
    erase(id) {
      const entry = known.get(id)
      known.delete(id)
      if (entry === undefined) return
      if (entry.timing === 'late' && entry.operation.op === 'name') {
        lateNames.remove(entry as RoomEntry<RoomOperationOf<'name'>>)
        placesChanged = true
        return
      }
      // before its operation is asked for: a mark that does not count would be read anew for it
      if (entry instanceof StoredMark) {
        const { all, newest } = marksBy(entry.author)
        all.delete(id)
        newest.remove(entry)
        return
      }
      const { operation } = entry
      if (operation.op === 'say' || operation.op === 'answer') {
        removeMessage(id as MessageId)
        return
      }
      if (operation.op === 'name' || operation.op === 'rule') {
        settings[operation.op].remove(entry as RoomEntry<Setting>)
        placesChanged = true
      }
      origins.delete(id)
      const target = targetOf(operation)
      if (target === undefined) return
      aboutOf.get(target)?.delete(id)
      noteSaid(target, entry, false)
      touched.add(target)
    },
    entry: (id) => known.get(id),
    counts(id) {
      const entry = known.get(id)
      const target = entry === undefined ? undefined : targetOf(entry.operation)
      const node = target === undefined ? undefined : links.node(target)
      return entry !== undefined && (node === undefined || mayTouch(entry, node))
    },
    node: (id) => links.node(id),
    heads() {
      settle()
      return [...links.heads()]
    },
    missing: () => links.missing() as ReturnType<RoomFold['missing']>,
    setting: <Name extends Setting['op']>(name: Name) =>
      (settings[name].last() ?? (name === 'name' ? lateNames.last() : undefined)) as
        RoomEntry<RoomOperationOf<Name>> | undefined,
    settingsAhead: (name, order) => settings[name].ahead(order),
    health: () => ({ corruptOperations, newerOperations }),
    takeChange() {
      settle()
      const change = { touched, places: placesChanged, ancestry: ancestryChanged, marksOf, said }
      touched = new Set()
      placesChanged = false
      ancestryChanged = false
      marksOf = new Set()
      said = []
      return change
    },
  }
}

/** The message something is about. */
function targetOf(operation: RoomOperation): MessageId | undefined {
  return 'message' in operation ? operation.message : 'answer' in operation ? operation.answer : undefined
}

/** True for what is about no message of its author's: what says it late changes nothing for others. */
function isOfAll({ op }: RoomOperation): boolean {
  return op === 'name' || op === 'rule' || op === 'read' || op === 'origin'
}

/** False for what came late about a message of another device: it may add its own words and take these back. */
export function mayTouch({ author, timing }: RoomEntry, { head }: MessageNode): boolean {
  return timing !== 'late' || author === head.author
}

/** Messages in the common order. Those that did not come in it are sorted in when somebody looks. */
function createMessageList(): {
  sorted(): readonly MessageNode[]
  /** True where it stands last. */
  add(node: MessageNode): boolean
  remove(node: MessageNode): void
  /** Places are others now. */
  sortAnew(): void
} {
  let list: MessageNode[] = []
  let added: MessageNode[] = []
  const removed = new Set<MessageNode>()
  return {
    sorted() {
      if (removed.size > 0) list = list.filter((node) => !removed.has(node))
      const fresh = added.filter((node) => !removed.has(node)).sort(comparePlaces)
      if (fresh.length > 0) list = mergedBy(comparePlaces, list, fresh)
      removed.clear()
      added = []
      return list
    },
    add(node) {
      const last = list.at(-1)
      // what is new is nearly always the last
      const isLast = added.length === 0 && (last === undefined || comparePlaces(last, node) < 0)
      if (isLast) list.push(node)
      else added.push(node)
      return isLast
    },
    remove(node) {
      removed.add(node)
    },
    sortAnew() {
      list = [...list, ...added].filter((node) => !removed.has(node)).sort(comparePlaces)
      removed.clear()
      added = []
    },
  }
}

function mergedBy<Item>(compare: (a: Item, b: Item) => number, one: readonly Item[], other: readonly Item[]): Item[] {
  const merged: Item[] = []
  let next = 0
  for (const item of one) {
    for (let before = other[next]; before !== undefined && compare(before, item) < 0; before = other[next]) {
      merged.push(before)
      next += 1
    }
    merged.push(item)
  }
  for (const item of other.slice(next)) merged.push(item)
  return merged
}
