import type { DeviceId, MessageId } from '../../base/index.ts'
import type { StoredOperation } from './document.ts'
import { decodeRoomOperation, isRoomOperationId, type RoomOperation, type RoomOperationOf } from './operations.ts'
import { comparePlaces, indexOfPlace, type Place } from './order.ts'

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
  readonly marks: ReadonlyMap<string, RoomEntry<RoomOperationOf<'read'>>>
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
  const sorted: MessageNode[] = []
  const nodes = new Map<MessageId, MessageNode>()
  const aboutOf = new Map<MessageId, Map<string, RoomEntry<About>>>()
  /** Where each operation that was taken in is. */
  const known = new Map<string, RoomEntry | undefined>()
  const heads = new Set<MessageNode>()
  const missing = new Map<MessageId, Set<MessageNode>>()
  const settings = new Map<string, RoomEntry<Setting>>()
  const marks = new Map<string, RoomEntry<RoomOperationOf<'read'>>>()
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

  const wait = (parent: MessageId, child: MessageNode): void => {
    const waiting = missing.get(parent) ?? new Set()
    missing.set(parent, waiting.add(child))
  }

  // who claims to have seen what stands after it lies: the link is not believed, so there are no circles
  const link = (parent: MessageNode, child: MessageNode): void => {
    if (comparePlaces(parent, child) >= 0) return
    parent.children.add(child)
    child.parents.add(parent)
    heads.delete(parent)
  }

  const isMarked = (id: MessageId): boolean => {
    for (const mark of marks.values()) if (mark.operation.heads.includes(id)) return true
    return false
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
    sorted.splice(indexOfPlace(sorted, node), 0, node)
    heads.add(node)
    for (const parent of new Set(head.operation.parents)) {
      const found = nodes.get(parent)
      if (found === undefined) wait(parent, node)
      else link(found, node)
    }
    if (missing.has(id) || isMarked(id)) ancestryChanged = true
    for (const child of missing.get(id) ?? []) link(node, child)
    missing.delete(id)
    touched.add(id)
    placesChanged = true
  }

  const removeMessage = (id: MessageId): void => {
    const node = nodes.get(id)
    if (node === undefined) return
    nodes.delete(id)
    sorted.splice(indexOfPlace(sorted, node), 1)
    heads.delete(node)
    for (const parent of node.head.operation.parents) {
      const found = nodes.get(parent)
      if (found === undefined) {
        const waiting = missing.get(parent)
        waiting?.delete(node)
        if (waiting?.size === 0) missing.delete(parent)
      } else if (found.children.delete(node) && found.children.size === 0) heads.add(found)
    }
    for (const child of node.children) child.parents.delete(node)
    // all who named it, believed or not
    for (const child of sorted) if (child.head.operation.parents.includes(id)) wait(id, child)
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
        settings.set(entry.id, entry as RoomEntry<Setting>)
        placesChanged = true
        return
      case 'read':
        marks.set(entry.id, entry as RoomEntry<RoomOperationOf<'read'>>)
        marksOf.add(entry.author)
        return
      case 'origin':
        origins.set(entry.id, entry as RoomEntry<RoomOperationOf<'origin'>>)
        return
    }
  }

  return {
    messages: sorted,
    marks,
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
      if (settings.delete(id)) placesChanged = true
      origins.delete(id)
      if (marks.delete(id)) marksOf.add(entry.author)
      const target = 'message' in operation ? operation.message : 'answer' in operation ? operation.answer : undefined
      if (target === undefined) return
      aboutOf.get(target)?.delete(id)
      touched.add(target)
    },
    entry: (id) => known.get(id),
    node: (id) => nodes.get(id),
    heads: () => [...heads],
    missing: () => missing,
    setting<Name extends Setting['op']>(name: Name) {
      let last: RoomEntry<Setting> | undefined
      for (const entry of settings.values()) {
        if (entry.operation.op !== name) continue
        if (last === undefined || comparePlaces(placeOf(last), placeOf(entry)) < 0) last = entry
      }
      return last as RoomEntry<RoomOperationOf<Name>> | undefined
    },
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

/** Where an operation that has an order stands. */
export function placeOf(entry: RoomEntry<Extract<RoomOperation, { order: number }>>): Place {
  return { order: entry.operation.order, id: entry.id }
}
