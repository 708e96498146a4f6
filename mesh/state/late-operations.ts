import type { DeviceId } from '../base/index.ts'
import type { ChatEntry } from './chat-entry.ts'
import { isLife, type ChatOperation } from './chat-operations.ts'
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

/** Rights are asked once for each author. */
export function createLateness(): (one: Pick<Came, 'entry'>) => boolean {
  const mayWrite = new Map<DeviceId, boolean>()
  return ({ entry }) => {
    const may = mayWrite.get(entry.author) ?? entry.mayWrite?.() !== false
    mayWrite.set(entry.author, may)
    return !may && entry.timing?.() === 'late'
  }
}

function isOwn({ entry, operation, isOriginal }: Came, isMade: boolean): boolean {
  if (!isOriginal) return false
  if (isLife(operation)) return operation.op === 'chat' && !isMade
  return isWord(operation) && markIn(operation.message) === markOf(entry.author)
}

function isWord(operation: Operation): operation is OperationOf<'say' | 'answer' | 'end'> {
  return operation.op === 'say' || operation.op === 'answer' || operation.op === 'end'
}
