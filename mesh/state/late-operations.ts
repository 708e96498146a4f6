import type { DeviceId, MessageId } from '../base/index.ts'
import type { ChatEntry } from './chat-entry.ts'
import { isLife, lateKeyOf, type ChatOperation } from './chat-operations.ts'
import { markIn, markOf } from './entry-id.ts'
import type { Operation, OperationOf } from './operations.ts'

interface Came {
  readonly entry: ChatEntry
  readonly operation: Operation
  /** Written by the device that made it. */
  readonly isOriginal: boolean
}

/**
 * Without what came late of devices that may not write any more and would change what others wrote. Such a
 * device may add words of its own, as a branch that nobody is shown unasked, and a chat that nobody else made
 * or deleted; it names, deletes and shows none. Each is judged by itself and by what is not late, so all devices that hold the same leave out the same.
 */
export function withoutLate<Each extends Came>(came: readonly Each[]): readonly Each[] {
  const isLate = createLateness()
  const isMade = came.some((one) => isLife(one.operation) && !isLate(one))
  return came.filter((one) => !isLate(one) || isOwn(one, isMade))
}

/** In a log, where it counts late: words of a device under its own mark. */
export function isOwnWord({ operation, by, isCarried }: ChatOperation): boolean {
  return !isCarried && isWord(operation) && markIn(operation.message) === by
}

/**
 * Of what came whether it is late, by the key it is noted under: what several wrote down is where it is of all
 * of them. Late too is a view of late words that a device signed which may not write any more, whenever that was:
 * before it was removed it could sign that everybody is shown what it would say later.
 */
export function latenessOf(came: readonly Came[]): ReadonlyMap<string, boolean> {
  const rights = createRights()
  const isLate = createLateness(rights)
  const seen = new Map<string, boolean>()
  const words = new Set<MessageId>()
  const note = (one: Came, is: boolean): void => {
    const key = lateKeyOf(one.operation)
    seen.set(key, (seen.get(key) ?? true) && is)
  }
  for (const one of came) if (one.operation.op !== 'show') note(one, isLate(one))
  for (const { operation } of came)
    if (isWord(operation) && seen.get(operation.id) === true) words.add(operation.message)
  for (const one of came) {
    if (one.operation.op !== 'show') continue
    const isChoice = one.isOriginal && rights(one.entry)
    note(one, isLate(one) || (words.has(one.operation.message) && !isChoice))
  }
  return seen
}

type Rights = (entry: ChatEntry) => boolean

/** Whether authors may still write, each asked once. */
function createRights(): Rights {
  const mayWrite = new Map<DeviceId, boolean>()
  return (entry) => {
    const may = mayWrite.get(entry.author) ?? entry.mayWrite?.() !== false
    mayWrite.set(entry.author, may)
    return may
  }
}

function createLateness(mayWrite: Rights = createRights()): (one: Pick<Came, 'entry'>) => boolean {
  return ({ entry }) => !mayWrite(entry) && entry.timing?.() === 'late'
}

function isOwn({ entry, operation, isOriginal }: Came, isMade: boolean): boolean {
  if (!isOriginal) return false
  if (isLife(operation)) return operation.op === 'chat' && !isMade
  return isWord(operation) && markIn(operation.message) === markOf(entry.author)
}

function isWord(operation: Operation): operation is OperationOf<'say' | 'answer' | 'end'> {
  return operation.op === 'say' || operation.op === 'answer' || operation.op === 'end'
}
