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
    const marks: Mark[] = []
    for (const { author, operation } of fold.marks()) if (personOf(author) === person) marks.push(operation)
    // those without exceptions are one: what any of them covers, and all above it
    marks.sort((a, b) => a.missing.length - b.missing.length)
    const key = marks.map(({ heads, missing }) => `${heads.join()}-${missing.join()}`).join(' ')
    const slots = covered.get(key) ?? slotsOf(fold, marks)
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

/** Marks that are followed at once: bits of a number. */
const AT_ONCE = 31

/** What marks cover, by slots. */
function slotsOf(fold: RoomFold, marks: readonly Mark[]): Uint8Array {
  const slots = new Uint8Array(marks.length === 0 ? 0 : fold.slots)
  const whole = marks.filter(({ missing }) => missing.length === 0)
  const merged: Mark[] = whole.length === 0 ? [] : [{ heads: whole.flatMap(({ heads }) => heads), missing: [] }]
  const all = [...merged, ...marks.filter(({ missing }) => missing.length > 0)]
  for (let start = 0; start < all.length; start += AT_ONCE) follow(fold, all.slice(start, start + AT_ONCE), slots)
  return slots
}

type Mark = Pick<RoomOperationOf<'read'>, 'heads' | 'missing'>

/**
 * Follows some marks up from their heads, wherever they do not except a message. All
 * together in one pass from the last message to the first: what one has seen stands
 * before it, so that nobody has the messages walked once for each mark.
 */
function follow(fold: RoomFold, marks: readonly Mark[], slots: Uint8Array): void {
  const reaching = new Int32Array(fold.slots)
  const excepting = new Map<MessageNode, number>()
  const bits = (ids: readonly MessageId[], bit: number, into: (node: MessageNode, bit: number) => void): void => {
    for (const id of ids) {
      const node = fold.node(id)
      if (node !== undefined) into(node, bit)
    }
  }
  marks.forEach(({ heads, missing }, index) => {
    bits(heads, 1 << index, (node, bit) => (reaching[node.slot] = (reaching[node.slot] ?? 0) | bit))
    bits(missing, 1 << index, (node, bit) => excepting.set(node, (excepting.get(node) ?? 0) | bit))
  })
  const { messages } = fold
  for (let at = messages.length - 1; at >= 0; at--) {
    const node = messages[at]
    if (node === undefined) continue
    const reached = (reaching[node.slot] ?? 0) & ~(excepting.get(node) ?? 0)
    if (reached === 0) continue
    slots[node.slot] = 1
    for (const parent of node.parents) reaching[parent.slot] = (reaching[parent.slot] ?? 0) | reached
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
