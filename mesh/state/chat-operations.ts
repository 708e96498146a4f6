import { CHAT_AFTER_MAX, CHAT_ORDER_MAX } from '../base/index.ts'
import { markIn, markOf } from './entry-id.ts'
import { createOrdersSeen, latestOrder, levelAfter, settleLevels, type Leveled } from './levels.ts'
import { decodeOperation, encodeOperation, type Operation, type OperationOf } from './operations.ts'

/** An operation of a chat, and how far it is known whose it is. */
export interface ChatOperation {
  readonly operation: Operation
  /** The mark of the device that made it; undefined: this one, before it had a mark. */
  readonly by: string | undefined
  /** Handed on by a device that did not make it, so `by` is that one's word. */
  readonly isCarried: boolean
  /** This device had something else under its id first. */
  readonly isChanged?: boolean
  /** It came late of a device that may not write any more. */
  readonly isLate?: boolean
}

/**
 * Operations of one chat, each id once, in the one order that every device gives
 * them: by level, by `order`, then by id. What came first does not count.
 */
export interface ChatOperations {
  /** Under an id that is taken only an original is taken in, see {@link givesWay}. */
  add(operation: ChatOperation): void
  inOrder(): readonly ChatOperation[]
  /** Notes of some whether they came late, also of what is not here yet. */
  setLate(note: OperationOf<'late'>): void
  /** Another number after each that was taken in. */
  readonly version: number
  /** The place after everything, for something done now. */
  next(nowMs: number): ChatPlace
  /** The place after everything by its order alone: of what says whether there is this chat. */
  nextLife(nowMs: number, life: string): ChatPlace
}

/** Where an operation stands, and what it has to name so that it stands there. */
export interface ChatPlace {
  readonly order: number
  readonly after: readonly string[]
}

/**
 * True where what is known under an id gives way to what comes: a copy to the original, and an original to
 * one that comes after it in the log. For that is put there where its device signed several, and the document
 * says which counts. Where an id bears no mark nobody can tell whose it is: what is there stays.
 */
export function givesWay(
  known: { readonly isCarried: boolean } | undefined,
  to: { readonly isCarried: boolean },
  id: string,
): boolean {
  if (known === undefined) return true
  return !to.isCarried && (known.isCarried || markIn(id) !== undefined)
}

/** An operation that says whether there is the chat. */
export type Life = OperationOf<'chat' | 'deleted'>

/** True for what stands in the record of a chat, and in no log: under the id of such a one another may be said too. */
export function isLife(operation: Operation): operation is Life {
  return operation.op === 'chat' || operation.op === 'deleted'
}

/** The place of an operation in its chat. */
export function orderOf({ order, at }: Operation): number {
  return Math.min(order ?? at, CHAT_ORDER_MAX)
}

/** Negative where the first stands before the second, of those that name nothing as seen. */
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

interface Step extends Leveled {
  readonly made: ChatOperation
  readonly operation: Operation
  /** What was here under its id first. */
  readonly first: Operation
}

/** Gives operations their levels, by what they name of each other as seen. */
export function settleOperations<Each extends Leveled & { readonly operation: Operation }>(all: readonly Each[]): void {
  if (!all.some(({ operation }) => operation.after !== undefined)) return
  const byId = new Map<string, Each>()
  for (const one of all) if (!byId.has(one.operation.id) || !isLife(one.operation)) byId.set(one.operation.id, one)
  settleLevels(
    all,
    ({ operation }) => (operation.after ?? []).flatMap((id) => (id === operation.id ? [] : (byId.get(id) ?? []))),
    ({ operation }) => operation.id,
  )
}

function isSame(one: Operation, other: Operation): boolean {
  const [bytes, others] = [encodeOperation(one), encodeOperation(other)]
  return bytes.length === others.length && bytes.every((byte, index) => byte === others[index])
}

/** In place of the id of the one that says whether there is the chat. */
const LIFE = ''

/** What an operation is noted under. */
export function lateKeyOf(operation: Operation): string {
  return isLife(operation) ? LIFE : operation.id
}

/** Takes a note into the set of what came late. */
export function noteLate(late: Set<string>, { of, isLate }: OperationOf<'late'>): void {
  for (const key of of) {
    if (isLate) late.add(key)
    else late.delete(key)
  }
}

/** None yet. */
export function createChatOperations(): ChatOperations {
  const byId = new Map<string, Step>()
  const orders = createOrdersSeen()
  const late = new Set<string>()
  let sorted: Step[] = []
  let given: ChatOperation[] = []
  let marked: { readonly version: number; readonly all: readonly ChatOperation[] } | undefined
  let isSorted = true
  let isStale = false
  let greatest = -Infinity
  let version = 0

  const compare = (a: Step, b: Step): number =>
    a.level - b.level ||
    compareOperations(a.operation, b.operation) ||
    Number(isLife(b.operation)) - Number(isLife(a.operation))
  /** Named as seen, here or not. */
  const named = new Set<string>()
  const seenAs = (id: string): Step | undefined => {
    const life = byId.get(LIFE)
    return byId.get(id) ?? (life?.operation.id === id ? life : undefined)
  }

  const settled = (): readonly Step[] => {
    if (isSorted) return sorted
    if (isStale) sorted = [...byId.values()]
    isStale = false
    settleOperations(sorted)
    sorted.sort(compare)
    given = sorted.map(({ made }) => made)
    isSorted = true
    return sorted
  }

  const stepOf = (made: ChatOperation, first = made.operation): Step => {
    const order = orderOf(made.operation)
    let level = 0
    for (const id of made.operation.after ?? []) {
      named.add(id)
      const seen = seenAs(id)
      if (seen !== undefined) level = Math.max(level, levelAfter(order, seen))
    }
    const isChanged =
      first !== made.operation && markIn(made.operation.id) !== undefined && !isSame(first, made.operation)
    return { made: isChanged ? { ...made, isChanged } : made, operation: made.operation, first, order, level }
  }

  return {
    inOrder() {
      settled()
      if (late.size === 0) return given
      if (marked?.version !== version) {
        const all = given.map((made) => (late.has(lateKeyOf(made.operation)) ? { ...made, isLate: true } : made))
        marked = { version, all }
      }
      return marked.all
    },
    setLate(note) {
      noteLate(late, note)
      version += 1
    },
    get version() {
      return version
    },
    add(made) {
      const { id } = made.operation
      const key = lateKeyOf(made.operation)
      const known = byId.get(key)
      if (key !== LIFE && !givesWay(known?.made, made, id)) return
      version += 1
      const wasNamed = named.has(id)
      const step = stepOf(made, key === LIFE ? undefined : known?.first)
      byId.set(key, step)
      orders.add(step.order)
      greatest = Math.max(greatest, step.order)
      // sorted anew when somebody looks, and not for each of many
      if (known !== undefined) {
        isStale = true
        isSorted = false
        return
      }
      const last = sorted.at(-1)
      if (wasNamed || (last !== undefined && compare(last, step) > 0)) isSorted = false
      sorted.push(step)
      if (isSorted) given.push(step.made)
    },
    next(nowMs) {
      const steps = settled()
      if (steps.length === 0) return { order: nowMs, after: [] }
      const order = Math.min(Math.max(nowMs, orders.lastUpTo(latestOrder(nowMs)) + 1), CHAT_ORDER_MAX)
      const ahead = steps.slice(-CHAT_AFTER_MAX).filter((step) => step.level > 0 || step.order >= order)
      return { order, after: ahead.map(({ operation }) => operation.id) }
    },
    nextLife(nowMs, life) {
      const order = byId.size === 0 ? nowMs : Math.min(Math.max(nowMs, greatest + 1), CHAT_ORDER_MAX)
      const last = seenAs(life)
      return { order, after: last !== undefined && last.order >= order ? [life] : [] }
    },
  }
}
