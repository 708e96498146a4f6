import { ROOM_HEADS_MAX, ROOM_MISSING_MAX, type DeviceId, type MessageId, type PersonId } from '../../base/index.ts'
import type { MessageNode, RoomFold } from './fold.ts'
import type { RoomOperationOf } from './operations.ts'

/**
 * Who has read what. A mark names the last messages that were on a screen; what is
 * above them was there too, but for what the mark excepts. So a message that came
 * late is never taken as read because it stands higher up.
 */
export interface SeenBy {
  has(person: PersonId, message: MessageNode): boolean
  /** Marks of these devices, or what stands above what, are not what they were. */
  forget(devices: Iterable<DeviceId> | 'all'): void
}

/** Reads the marks of a fold. Work is done when a person is first asked for, and kept until told otherwise. */
export function createSeenBy(fold: RoomFold, personOf: (device: DeviceId) => PersonId | undefined): SeenBy {
  const seen = new Map<PersonId, Uint8Array>()
  /** What marks that say the same cover: most people of a room have read up to the same message. */
  const covered = new Map<string, Uint8Array>()
  const read = (person: PersonId): Uint8Array => {
    const marks: RoomOperationOf<'read'>[] = []
    for (const { author, operation } of fold.marks.values()) if (personOf(author) === person) marks.push(operation)
    // marks without exceptions first: what they cover need not be walked again
    marks.sort((a, b) => a.missing.length - b.missing.length)
    const key = marks.map(({ heads, missing }) => `${heads.join()}-${missing.join()}`).join(' ')
    const slots = covered.get(key) ?? new Uint8Array(marks.length === 0 ? 0 : fold.slots)
    if (!covered.has(key)) for (const mark of marks) cover(fold, mark, slots)
    covered.set(key, slots)
    seen.set(person, slots)
    return slots
  }
  return {
    has: (person, message) => ((seen.get(person) ?? read(person))[message.slot] ?? 0) !== 0,
    forget(devices) {
      covered.clear()
      if (devices === 'all') seen.clear()
      else for (const device of devices) seen.delete(personOf(device) ?? ('' as PersonId))
    },
  }
}

const SEEN = 1
/** Seen, and so is all that stands above it: a mark without exceptions was here. */
const SEEN_WHOLE = 2

function cover(fold: RoomFold, mark: RoomOperationOf<'read'>, slots: Uint8Array): void {
  const excepted = new Set<MessageId>(mark.missing)
  if (excepted.size === 0) {
    walk(fold, mark.heads, (node) => {
      if (slots[node.slot] === SEEN_WHOLE) return false
      slots[node.slot] = SEEN_WHOLE
      return true
    })
    return
  }
  const walked = new Set<MessageNode>()
  walk(fold, mark.heads, (node) => {
    if (excepted.has(node.id) || slots[node.slot] === SEEN_WHOLE || walked.has(node)) return false
    walked.add(node)
    slots[node.slot] = SEEN
    return true
  })
}

/** Goes up from some messages wherever `enter` says so. */
function walk(fold: RoomFold, from: readonly MessageId[], enter: (node: MessageNode) => boolean): void {
  const open: MessageNode[] = []
  for (const id of from) {
    const node = fold.node(id)
    if (node !== undefined && enter(node)) open.push(node)
  }
  for (let node = open.pop(); node !== undefined; node = open.pop()) {
    for (const parent of node.parents) if (enter(parent)) open.push(parent)
  }
}

/**
 * The mark that says exactly what was seen and nothing more: the last messages seen,
 * and what stands above them and was not. Undefined where one mark cannot say it.
 */
export function readMark(
  fold: RoomFold,
  isSeen: (message: MessageNode) => boolean,
): Pick<RoomOperationOf<'read'>, 'heads' | 'missing'> | undefined {
  const seen = new Set(fold.messages.filter(isSeen))
  const heads: MessageId[] = []
  const missing = new Set<MessageId>()
  for (const node of seen) {
    if (![...node.children].some((child) => seen.has(child))) heads.push(node.id)
    for (const parent of node.head.operation.parents) {
      const found = fold.node(parent)
      if (found === undefined || !seen.has(found)) missing.add(parent)
    }
  }
  if (missing.size > ROOM_MISSING_MAX) return undefined
  return { heads: heads.slice(-ROOM_HEADS_MAX), missing: [...missing] }
}
