import {
  ROOM_HEADS_MAX,
  ROOM_MISSING_MAX,
  ROOM_SPANS_MAX,
  type DeviceId,
  type MessageId,
  type PersonId,
} from '../../base/index.ts'
import type { MessageNode, RoomFold } from './fold.ts'
import type { RoomOperationOf } from './operations.ts'
import { comparePlaces } from './order.ts'

/**
 * Who has read what. A mark names the last messages that were on a screen; what is
 * above them was there too, but for what the mark excepts. So a message that came
 * late is never taken as read because it stands higher up. Where a room has more ends
 * or more that is missing than a mark can name, it names stretches of what single
 * authors wrote as well.
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
    for (const mark of fold.marks()) if (personOf(mark.author) === person) marks.push(mark.operation)
    // those without exceptions are one: what any of them covers, and all above it
    marks.sort((a, b) => a.missing.length - b.missing.length)
    const key = marks
      .map(({ heads, missing, spans = [] }) => `${heads.join()}-${missing.join()}-${spans.join()}`)
      .join(' ')
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
  const spans = marks.flatMap((mark) => mark.spans ?? [])
  if (spans.length > 0) coverSpans(fold, spans, slots)
  return slots
}

/** What a read mark says. */
export type Mark = Pick<RoomOperationOf<'read'>, 'heads' | 'missing' | 'spans'>
type Span = NonNullable<Mark['spans']>[number]

/** What one mark tells of each message that is here. */
export function coveredBy(fold: RoomFold, mark: Mark): (message: MessageNode) => boolean {
  const slots = slotsOf(fold, [mark])
  return (message) => (slots[message.slot] ?? 0) !== 0
}

/** All spans in one pass, so that nobody has the messages walked once for each of them. */
function coverSpans(fold: RoomFold, spans: readonly Span[], slots: Uint8Array): void {
  const { messages } = fold
  const begin = new Map<MessageNode, number>()
  const end = new Map<MessageNode, number>()
  for (const [from, to] of spans) {
    const [first, last] = [fold.node(from), fold.node(to)]
    if (first === undefined || last?.head.author !== first.head.author || comparePlaces(first, last) > 0) continue
    begin.set(first, (begin.get(first) ?? 0) + 1)
    end.set(last, (end.get(last) ?? 0) + 1)
  }
  const open = new Map<DeviceId, number>()
  for (const node of messages) {
    const { author } = node.head
    const count = (open.get(author) ?? 0) + (begin.get(node) ?? 0)
    if (count > 0) slots[node.slot] = 1
    open.set(author, count - (end.get(node) ?? 0))
  }
}

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
 * The mark that says what was seen: the last messages seen, and what stands above them
 * and was not. Where there is more of either than a mark may name, which a member can
 * see to, it follows the messages as far as it may, and names what is left by its
 * authors. It tells of nothing that is here and was not seen.
 * @param isTold what other marks tell of already: of too much, the rest goes first
 */
export function readMark(
  fold: RoomFold,
  isSeen: (message: MessageNode) => boolean,
  isTold: (message: MessageNode) => boolean = () => false,
): Mark {
  const seen = new Set(fold.messages.filter(isSeen))
  const heads: MessageId[] = []
  const missing = new Set<MessageId>()
  for (const node of seen) {
    if (!hasAny(node.children, seen)) heads.push(node.id)
    for (const parent of unseenAbove(fold, node, seen)) missing.add(parent)
  }
  if (heads.length <= ROOM_HEADS_MAX && missing.size <= ROOM_MISSING_MAX) return { heads, missing: [...missing] }
  return markByParts(fold, { seen, isTold }, heads.slice(-ROOM_HEADS_MAX))
}

function hasAny(nodes: ReadonlySet<MessageNode>, seen: ReadonlySet<MessageNode>): boolean {
  for (const node of nodes) if (seen.has(node)) return true
  return false
}

/** Messages a seen one names that were not seen, here or not. */
function unseenAbove(fold: RoomFold, node: MessageNode, seen: ReadonlySet<MessageNode>): MessageId[] {
  return node.head.operation.parents.filter((id) => {
    const found = fold.node(id)
    return found === undefined || !seen.has(found)
  })
}

interface ToTell {
  readonly seen: ReadonlySet<MessageNode>
  isTold(message: MessageNode): boolean
}

function markByParts(fold: RoomFold, toTell: ToTell, heads: readonly MessageId[]): Mark {
  const { seen } = toTell
  const reached = new Set(heads.flatMap((id) => fold.node(id) ?? []))
  const excepted = new Set<MessageId>()
  const covered = new Set<MessageNode>()
  const { messages } = fold
  for (let at = messages.length - 1; at >= 0; at--) {
    const node = messages[at]
    if (node === undefined || !reached.delete(node)) continue
    const unseen = unseenAbove(fold, node, seen).filter((id) => !excepted.has(id))
    const above = [...node.parents].filter((parent) => seen.has(parent) && !reached.has(parent))
    // each that is reached may have to be excepted yet
    if (excepted.size + unseen.length + reached.size + above.length > ROOM_MISSING_MAX) {
      excepted.add(node.id)
      continue
    }
    covered.add(node)
    for (const id of unseen) excepted.add(id)
    for (const parent of above) reached.add(parent)
  }
  return { heads, missing: [...excepted], spans: spansOf(messages, toTell, covered) }
}

interface Stretch {
  readonly from: MessageNode
  to: MessageNode
  /** How many of it the rest of the mark does not tell of, and how many no other mark does. */
  count: number
  news: number
}

/** The stretches of single authors that tell most of what was seen and is not covered. */
function spansOf(
  messages: readonly MessageNode[],
  { seen, isTold }: ToTell,
  covered: ReadonlySet<MessageNode>,
): Span[] {
  const open = new Map<DeviceId, Stretch>()
  const stretches: Stretch[] = []
  for (const node of messages) {
    const { author } = node.head
    if (!seen.has(node)) {
      open.delete(author)
      continue
    }
    const known = open.get(author)
    const stretch: Stretch = known ?? { from: node, to: node, count: 0, news: 0 }
    if (known === undefined) {
      open.set(author, stretch)
      stretches.push(stretch)
    }
    stretch.to = node
    if (covered.has(node)) continue
    stretch.count += 1
    if (!isTold(node)) stretch.news += 1
  }
  return stretches
    .filter(({ count }) => count > 0)
    .sort((a, b) => b.news - a.news || b.count - a.count)
    .slice(0, ROOM_SPANS_MAX)
    .map(({ from, to }): Span => [from.id, to.id])
}
