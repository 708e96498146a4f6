import { ROOM_MARKS_PER_DEVICE_MAX, type DeviceId, type MessageId } from '../../base/index.ts'
import type { StoredOperation } from './document.ts'
import { createNewest, type Newest } from './newest.ts'
import { decodeRoomOperation, isRoomOperationId, type RoomOperation, type RoomOperationOf } from './operations.ts'
import { comparePlaces, type Place } from './order.ts'

/** An operation with who wrote it, which is proven, and when, which is claimed. */
export interface RoomEntry<Operation extends RoomOperation = RoomOperation> {
  readonly id: string
  readonly operation: Operation
  readonly author: DeviceId
  /** ms since 1970 by the author's clock. */
  readonly at: number
}

type Head = RoomOperationOf<'say'> | RoomOperationOf<'answer'>
type About = RoomOperationOf<'text' | 'delete' | 'route' | 'part' | 'end' | 'stop' | 'hide'>
type Setting = RoomOperationOf<'name'> | RoomOperationOf<'rule'>
/** What a device says that was read on its screen. */
export type ReadMark = RoomEntry<RoomOperationOf<'read'>>

/** One message or answer, and everything said about it. */
export interface MessageNode extends Place {
  readonly id: MessageId
  readonly head: RoomEntry<Head>
  /** Messages whose author had seen this one. */
  readonly children: Set<MessageNode>
  /** What its author had seen last, as far as it is here. */
  readonly parents: Set<MessageNode>
  /** Operations about it, by their ids. Whether they count is asked when it is shown. */
  readonly about: ReadonlyMap<string, RoomEntry<About>>
  /** Its number on this device, for sets of messages. */
  readonly slot: number
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
  /** Everything in the common order. */
  readonly messages: readonly MessageNode[]
  node(id: MessageId): MessageNode | undefined
  /** Messages nobody has answered to yet: what the next message names as seen. */
  heads(): readonly MessageNode[]
  /** Messages that others name as seen and that are not here. */
  missing(): ReadonlyMap<MessageId, ReadonlySet<MessageNode>>
  /** The setting that stands: the last in the common order. */
  setting<Name extends Setting['op']>(name: Name): RoomEntry<RoomOperationOf<Name>> | undefined
  /** Of each device the newest read marks, which are all that count. */
  marks(): Iterable<ReadMark>
  /** Ids of all read marks of a device, those that do not count among them. */
  marksOf(device: DeviceId): readonly string[]
  /** Rooms this one is said to have been imported from. */
  readonly origins: ReadonlyMap<string, RoomEntry<RoomOperationOf<'origin'>>>
  /** The greatest order of anything here. */
  readonly lastOrder: number
  /** How many numbers were given to messages; each slot is below it. */
  readonly slots: number
  health(): RoomHealth
  takeChange(): FoldChange
}

/** See {@link RoomFold}. */
export function createRoomFold(): RoomFold {
  const messages = createMessageList()
  const nodes = new Map<MessageId, MessageNode>()
  const aboutOf = new Map<MessageId, Map<string, RoomEntry<About>>>()
  /** Where each operation that was taken in is. */
  const known = new Map<string, RoomEntry | undefined>()
  const heads = new Set<MessageNode>()
  /** Messages that name another as seen, believed or not, by the one they name. */
  const naming = new Map<MessageId, Set<MessageNode>>()
  /** Of those the ones whose message is not here. */
  const missing = new Map<MessageId, ReadonlySet<MessageNode>>()
  const settings = { name: newestSetting(), rule: newestSetting() }
  /** By device: all, and the few that count. What supersedes itself counts once: nobody has every mark walked again. */
  const marks = new Map<DeviceId, { readonly all: Set<string>; readonly newest: Newest<ReadMark> }>()
  /** How many marks that count name a message. */
  const marked = new Map<MessageId, number>()
  const origins = new Map<string, RoomEntry<RoomOperationOf<'origin'>>>()
  let lastOrder = 0
  let slots = 0
  let corruptOperations = 0
  let newerOperations = 0
  let touched = new Set<MessageId>()
  let placesChanged = false
  let ancestryChanged = false
  let marksOf = new Set<DeviceId>()

  const about = (id: MessageId): Map<string, RoomEntry<About>> => {
    let entries = aboutOf.get(id)
    if (entries === undefined) {
      entries = new Map()
      aboutOf.set(id, entries)
    }
    return entries
  }

  // who claims to have seen what stands after it lies: the link is not believed, so there are no circles
  const link = (parent: MessageNode, child: MessageNode): void => {
    if (comparePlaces(parent, child) >= 0) return
    parent.children.add(child)
    child.parents.add(parent)
    heads.delete(parent)
  }

  const countMarked = ({ operation }: ReadMark, step: 1 | -1): void => {
    for (const id of new Set(operation.heads)) {
      const count = (marked.get(id) ?? 0) + step
      if (count > 0) marked.set(id, count)
      else marked.delete(id)
    }
  }

  const marksBy = (device: DeviceId): { readonly all: Set<string>; readonly newest: Newest<ReadMark> } => {
    let own = marks.get(device)
    if (own === undefined) {
      const changed = {
        entered: (mark: ReadMark) => {
          countMarked(mark, 1)
          marksOf.add(device)
        },
        left: (mark: ReadMark) => {
          countMarked(mark, -1)
          marksOf.add(device)
        },
      }
      const newest = createNewest<ReadMark>(ROOM_MARKS_PER_DEVICE_MAX, (a, b) => (a.id < b.id ? -1 : 1), changed)
      own = { all: new Set(), newest }
      marks.set(device, own)
    }
    return own
  }

  const addMessage = (id: MessageId, head: RoomEntry<Head>): void => {
    const node: MessageNode = {
      id,
      order: head.operation.order,
      head,
      children: new Set(),
      parents: new Set(),
      about: about(id),
      slot: slots++,
    }
    nodes.set(id, node)
    messages.add(node)
    heads.add(node)
    for (const parent of new Set(head.operation.parents)) {
      const named = naming.get(parent) ?? new Set()
      naming.set(parent, named.add(node))
      const found = nodes.get(parent)
      if (found === undefined) missing.set(parent, named)
      else link(found, node)
    }
    if (missing.delete(id) || marked.has(id)) ancestryChanged = true
    for (const child of naming.get(id) ?? []) link(node, child)
    touched.add(id)
    placesChanged = true
  }

  const removeMessage = (id: MessageId): void => {
    const node = nodes.get(id)
    if (node === undefined) return
    nodes.delete(id)
    messages.remove(node)
    heads.delete(node)
    for (const parent of node.head.operation.parents) {
      const named = naming.get(parent)
      named?.delete(node)
      if (named?.size === 0) {
        naming.delete(parent)
        missing.delete(parent)
      }
      const found = nodes.get(parent)
      if (found?.children.delete(node) === true && found.children.size === 0) heads.add(found)
    }
    for (const child of node.children) child.parents.delete(node)
    // all who named it, believed or not
    const named = naming.get(id)
    if (named !== undefined) missing.set(id, named)
    ancestryChanged = true
    touched.add(id)
    placesChanged = true
  }

  const place = (entry: RoomEntry): void => {
    const { operation } = entry
    if ('order' in operation) lastOrder = Math.max(lastOrder, operation.order)
    switch (operation.op) {
      case 'say':
      case 'answer':
        addMessage(entry.id as MessageId, entry as RoomEntry<Head>)
        return
      case 'text':
      case 'delete':
        about(operation.message).set(entry.id, entry as RoomEntry<About>)
        touched.add(operation.message)
        return
      case 'route':
      case 'part':
      case 'end':
      case 'stop':
      case 'hide':
        about(operation.answer).set(entry.id, entry as RoomEntry<About>)
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
        newest.add(entry as ReadMark)
        return
      }
      case 'origin':
        origins.set(entry.id, entry as RoomEntry<RoomOperationOf<'origin'>>)
        return
    }
  }

  return {
    get messages() {
      return messages.sorted()
    },
    *marks() {
      for (const { newest } of marks.values()) yield* newest.items
    },
    marksOf: (device) => [...(marks.get(device)?.all ?? [])],
    origins,
    get lastOrder() {
      return lastOrder
    },
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
      const entry = { id, operation: decoded.operation, author: stored.author, at: stored.at }
      known.set(id, entry)
      place(entry)
    },
    erase(id) {
      const entry = known.get(id)
      known.delete(id)
      if (entry === undefined) return
      const { operation } = entry
      if (operation.op === 'say' || operation.op === 'answer') {
        removeMessage(id as MessageId)
        return
      }
      if (operation.op === 'name' || operation.op === 'rule') {
        settings[operation.op].remove(entry as RoomEntry<Setting>)
        placesChanged = true
      }
      if (operation.op === 'read') {
        const { all, newest } = marksBy(entry.author)
        all.delete(id)
        newest.remove(entry as ReadMark)
      }
      origins.delete(id)
      const target = 'message' in operation ? operation.message : 'answer' in operation ? operation.answer : undefined
      if (target === undefined) return
      aboutOf.get(target)?.delete(id)
      touched.add(target)
    },
    entry: (id) => known.get(id),
    node: (id) => nodes.get(id),
    heads: () => [...heads],
    missing: () => missing,
    setting: <Name extends Setting['op']>(name: Name) =>
      settings[name].items[0] as RoomEntry<RoomOperationOf<Name>> | undefined,
    health: () => ({ corruptOperations, newerOperations }),
    takeChange() {
      const change = { touched, places: placesChanged, ancestry: ancestryChanged, marksOf }
      touched = new Set()
      placesChanged = false
      ancestryChanged = false
      marksOf = new Set()
      return change
    },
  }
}

function newestSetting(): Newest<RoomEntry<Setting>> {
  return createNewest(1, (a, b) => comparePlaces(placeOf(a), placeOf(b)))
}

/** Messages in the common order. Those that did not come in it are sorted in when somebody looks. */
function createMessageList(): {
  sorted(): readonly MessageNode[]
  add(node: MessageNode): void
  remove(node: MessageNode): void
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
      if (added.length === 0 && (last === undefined || comparePlaces(last, node) < 0)) list.push(node)
      else added.push(node)
    },
    remove(node) {
      removed.add(node)
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

/** Where an operation that has an order stands. */
export function placeOf(entry: RoomEntry<Extract<RoomOperation, { order: number }>>): Place {
  return { order: entry.operation.order, id: entry.id }
}
