import { CHAT_ORDER_MAX } from '../base/index.ts'
import { markIn, markOf } from './entry-id.ts'
import { decodeOperation, encodeOperation, type Operation } from './operations.ts'

/** An operation of a chat, and how far it is known whose it is. */
export interface ChatOperation {
  readonly operation: Operation
  /** The mark of the device that made it; undefined: this one, before it had a mark. */
  readonly by: string | undefined
  /** Handed on by a device that did not make it, so `by` is that one's word. */
  readonly isCarried: boolean
}

/**
 * Operations of one chat, each id once, in the one order that every device gives
 * them: by `order`, then by id. What came first does not count.
 */
export interface ChatOperations {
  /** Under an id that is taken only the original is taken in, in place of one that was handed on. */
  add(operation: ChatOperation): void
  inOrder(): readonly ChatOperation[]
  /** Another number after each that was taken in. */
  readonly version: number
  /** The place after everything, for something done now. */
  nextOrder(nowMs: number): number
}

/** The place of an operation in its chat. */
export function orderOf({ order, at }: Operation): number {
  return Math.min(order ?? at, CHAT_ORDER_MAX)
}

/** Negative where the first stands before the second. */
export function compareOperations(a: Operation, b: Operation): number {
  return orderOf(a) - orderOf(b) || (a.id < b.id ? -1 : Number(a.id > b.id))
}

/**
 * Reads a log in its order. Version 0.1 wrote no order: there the log has it, also where
 * its clock stood still. What bears a mark has an order of its own.
 */
export function createLogOrder(): (operation: Operation) => Operation {
  let last = -Infinity
  return (operation) => {
    if (operation.op === 'carried' || markIn(operation.id) !== undefined) return operation
    const order = orderOf(operation)
    last = order > last ? order : Math.min(last + 1, CHAT_ORDER_MAX)
    return order === last ? operation : { ...operation, order: last }
  }
}

/** Looks into an operation that was handed on. Undefined for what cannot be read, or is not under its own id. */
export function asMade(operation: Operation): ChatOperation | undefined {
  if (operation.op !== 'carried') return { operation, by: markIn(operation.id), isCarried: false }
  const inner = decodeOperation(operation.bytes)
  if (inner.kind !== 'operation' || inner.operation.op === 'carried') return undefined
  if (inner.operation.id !== operation.id || inner.operation.chat !== operation.chat) return undefined
  return { operation: inner.operation, by: markIn(operation.id) ?? markOf(operation.by), isCarried: true }
}

/** The entry of a log for an operation that another device handed on. */
export function carriedBy(device: Parameters<typeof markOf>[0], operation: Operation, bytes: Uint8Array): Uint8Array {
  const { v, id, at, chat } = operation
  return encodeOperation({ v, id, at, op: 'carried', chat, by: device, bytes })
}

/** None yet. */
export function createChatOperations(): ChatOperations {
  const byId = new Map<string, ChatOperation>()
  const sorted: ChatOperation[] = []
  let isSorted = true
  let version = 0
  const inOrder = (): readonly ChatOperation[] => {
    if (!isSorted) sorted.sort((a, b) => compareOperations(a.operation, b.operation))
    isSorted = true
    return sorted
  }

  return {
    inOrder,
    get version() {
      return version
    },
    add(given) {
      const known = byId.get(given.operation.id)
      if (known !== undefined && (given.isCarried || !known.isCarried)) return
      version += 1
      byId.set(given.operation.id, given)
      if (known !== undefined) sorted.splice(sorted.indexOf(known), 1)
      const last = sorted.at(-1)
      if (last !== undefined && compareOperations(last.operation, given.operation) > 0) isSorted = false
      sorted.push(given)
    },
    nextOrder(nowMs) {
      const last = inOrder().at(-1)
      return last === undefined ? nowMs : Math.min(Math.max(nowMs, orderOf(last.operation) + 1), CHAT_ORDER_MAX)
    },
  }
}
