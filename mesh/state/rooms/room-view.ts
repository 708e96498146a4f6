import type { Clock, DeviceId, MessageId, PersonId } from '../../base/index.ts'
import type { AskPhase, Route } from '../../route/index.ts'
import { excerptFrom } from '../words.ts'
import { findLate, type Arrivals } from './arrivals.ts'
import {
  answerContent,
  isSamePerson,
  messageContent,
  type AnswerContent,
  type ContentPorts,
  type MessageContent,
  type PersonOf,
} from './contents.ts'
import type { RoomDocument } from './document.ts'
import type { MessageNode, RoomFold } from './fold.ts'
import { createLastSaid } from './last-said.ts'
import { RECEIPTS_FOLLOWED, SILENT_ANSWER_MS } from './limits.ts'
import { comparePlaces } from './order.ts'
import type { PresenceState } from './presence.ts'
import type {
  Delivery,
  Late,
  Receipts,
  RoomAnswer,
  RoomGap,
  RoomItem,
  RoomMessage,
  RoomRecord,
  RoomSeam,
  RoomSummary,
  RoomView,
} from './rooms.ts'
import { createSeenBy } from './seen.ts'

/** What this device knows of an answer it is writing, ahead of what is durable. */
export interface LiveRoomAnswer {
  readonly text: string
  readonly route: Route | undefined
  readonly phase: AskPhase | undefined
  readonly unsaved: boolean
  /** Set when it ended and the end could not be stored yet. */
  readonly ended: { readonly state: 'done' | 'stopped' | 'failed'; readonly error?: RoomAnswer['error'] } | undefined
}

/** What a view is made from. */
export interface ViewPorts {
  readonly self: DeviceId
  readonly person: PersonId
  readonly clock: Clock
  readonly fold: RoomFold
  readonly document: RoomDocument
  readonly arrivals: Arrivals
  readonly personOf: PersonOf
  record(): RoomRecord
  live(answer: MessageId): LiveRoomAnswer | undefined
  others(): ReadonlyMap<DeviceId, PresenceState>
}

/** Makes views of one room, and only anew what changed since the last one. */
export interface RoomViews {
  view(): RoomView
  /** What is known of a message, for its screen and for programs. */
  content(node: MessageNode): MessageContent | AnswerContent
  /** What other words for this message, or hiding this answer, have to name, so that they come after all that count. */
  ahead(node: MessageNode, order: number): string[]
  /** True when it was on a screen of this person, or was written by it. */
  isSeen(node: MessageNode): boolean
  receipts(node: MessageNode): Receipts
  /** Whose a device is may have changed: everything is looked at again. */
  forget(): void
}

interface Drawn {
  readonly item: RoomMessage | RoomAnswer
  readonly unread: boolean
  readonly late: Late | undefined
  readonly live: unknown
  readonly openState: RoomAnswer['state'] | undefined
}

/** See {@link RoomViews}. */
export function createRoomViews(ports: ViewPorts): RoomViews {
  const { fold, personOf, self, person, arrivals, document, clock } = ports
  const contents = new Map<MessageId, MessageContent | AnswerContent>()
  const drawn = new Map<MessageId, Drawn>()
  const deliveries = new Map<MessageId, Delivery>()
  const ownDevices = new Map<DeviceId, boolean>()
  let late: ReadonlyMap<MessageId, Late> = new Map()
  const seen = createSeenBy(fold, personOf)
  const said = createLastSaid(personOf)
  const contentPorts: ContentPorts = {
    personOf,
    isOneWrite: (first, second) => document.isOneWrite(first, second),
    lastSaid: (node) => said.of(node),
  }

  /** Takes in what changed in the fold since the last look. */
  const catchUp = (): void => {
    const change = fold.takeChange()
    for (const id of change.touched) {
      contents.delete(id)
      drawn.delete(id)
    }
    said.note(change.said)
    if (change.ancestry) seen.forget('all')
    else seen.forget(change.marksOf)
    if (change.places)
      late = keepSame(
        late,
        findLate(fold.messages, arrivals, (node) => node.head.author === self),
      )
  }

  const isOwn = (node: MessageNode): boolean => {
    const { author } = node.head
    let own = ownDevices.get(author)
    if (own === undefined) {
      own = isSamePerson(author, self, personOf)
      ownDevices.set(author, own)
    }
    return own
  }

  const contentOf = (node: MessageNode): MessageContent | AnswerContent => {
    let content = contents.get(node.id)
    if (content === undefined) {
      content =
        node.head.operation.op === 'say' ? messageContent(node, contentPorts) : answerContent(node, contentPorts)
      contents.set(node.id, content)
    }
    return content
  }

  const isSeen = (node: MessageNode): boolean =>
    (node.head.operation.op === 'say' && isOwn(node)) || seen.has(person, node)

  const isUnread = (node: MessageNode): boolean => {
    if (isSeen(node)) return false
    const content = contentOf(node)
    return 'state' in content ? content.state === 'here' : content.hiddenBy === undefined
  }

  // ---- receipts ----

  const holdersOf = (node: MessageNode, { devices }: RoomRecord): DeviceId[] => {
    const content = contentOf(node)
    const textId = 'textId' in content ? content.textId : undefined
    const heads = document.durableOn(node.id)
    const texts = textId === undefined ? heads : document.durableOn(textId)
    // who wrote it had it durable before it was sent, and this device has it here
    return devices.filter(
      (device) => device === self || device === node.head.author || (heads.has(device) && texts.has(device)),
    )
  }

  const seenByOthers = (node: MessageNode, { people }: RoomRecord): PersonId[] =>
    people.map((each) => each.person).filter((each) => each !== person && seen.has(each, node))

  const deliveryOf = (node: MessageNode, isFollowed: boolean, record: RoomRecord): Delivery => {
    const before = deliveries.get(node.id)
    if (before !== undefined && !isFollowed) return before
    const of = record.devices.length
    const devices = holdersOf(node, record)
    const people = seenByOthers(node, record)
    const next: Delivery =
      people.length > 0
        ? { kind: 'seen', people, devices, of }
        : devices.length > 1
          ? { kind: 'spread', devices, of }
          : { kind: 'saved', of }
    if (before !== undefined && isSameDelivery(before, next)) return before
    deliveries.set(node.id, next)
    return next
  }

  // ---- items ----

  const openStateOf = (node: MessageNode, content: AnswerContent, text: string): RoomAnswer['state'] => {
    const going = text === '' ? 'waiting' : 'streaming'
    if (node.head.author === self || content.end !== undefined) return going
    if (ports.others().get(node.head.author)?.answering.includes(node.id) === true) return going
    return clock.now() - lastHeardAt(node) < SILENT_ANSWER_MS ? going : 'interrupted'
  }

  const lastHeardAt = (node: MessageNode): number => {
    let at = Math.min(node.head.at, arrivals.get(node.id)?.at ?? node.head.at)
    for (const entry of node.about.values()) if (entry.author === node.head.author) at = Math.max(at, entry.at)
    return Math.min(at, clock.now())
  }

  const writtenAt = (node: MessageNode): number => Math.min(node.head.at, arrivals.get(node.id)?.at ?? Infinity)

  const draw = (node: MessageNode, isFollowed: boolean, record: RoomRecord): RoomMessage | RoomAnswer => {
    const content = contentOf(node)
    const unread = isUnread(node)
    const lateness = late.get(node.id)
    const isMessage = 'state' in content
    const own = isOwn(node)
    const live = isMessage
      ? own && content.state === 'here'
        ? deliveryOf(node, isFollowed, record)
        : undefined
      : ports.live(node.id)
    const text = isMessage ? '' : ((live as LiveRoomAnswer | undefined)?.text ?? content.text)
    const openState = isMessage || content.end !== undefined ? undefined : openStateOf(node, content, text)
    const before = drawn.get(node.id)
    if (
      before?.unread === unread &&
      before.late === lateness &&
      before.live === live &&
      before.openState === openState
    ) {
      return before.item
    }
    // written out rather than spread from parts, which takes as long as all the rest
    const item: RoomMessage | RoomAnswer = isMessage
      ? {
          kind: 'message',
          id: node.id,
          device: node.head.author,
          writtenAt: writtenAt(node),
          unread,
          late: lateness,
          imported: node.head.operation.imported,
          person: personOf(node.head.author),
          own,
          state: content.state,
          text: content.text,
          mentions: content.mentions,
          attachments: content.attachments,
          edited: content.edited,
          delivery: live as Delivery | undefined,
        }
      : {
          id: node.id,
          device: node.head.author,
          writtenAt: writtenAt(node),
          unread,
          late: lateness,
          imported: node.head.operation.imported,
          ...answerParts(node, content, live as LiveRoomAnswer | undefined, openState),
        }
    drawn.set(node.id, { item, unread, late: lateness, live, openState })
    return item
  }

  const answerParts = (
    node: MessageNode,
    content: AnswerContent,
    live: LiveRoomAnswer | undefined,
    openState: RoomAnswer['state'] | undefined,
  ): Omit<RoomAnswer, 'id' | 'device' | 'writtenAt' | 'unread' | 'late'> => {
    const { operation } = node.head
    const end = content.end
    return {
      kind: 'answer',
      question: operation.op === 'answer' ? operation.question : node.id,
      asker: personOf(node.head.author),
      writingHere: live !== undefined && live.ended === undefined,
      state: end?.state ?? live?.ended?.state ?? openState ?? 'waiting',
      text: live?.text ?? content.text,
      route: content.route ?? live?.route,
      figures: end?.figures,
      phase: live?.phase,
      error: end?.error ?? live?.ended?.error,
      stoppedBy: content.stoppedBy === undefined ? undefined : personOf(content.stoppedBy),
      hiddenBy: content.hiddenBy === undefined ? undefined : personOf(content.hiddenBy),
      ...(live?.unsaved === true ? { unsaved: true as const } : {}),
    }
  }

  const itemsOf = (): RoomItem[] => {
    const items: RoomItem[] = []
    // made anew from the ledger each time it is asked for
    const record = ports.record()
    const gaps = gapsIn(fold, record, person)
    if (gaps.before !== undefined) items.push(gaps.before)
    const followedFrom = fold.messages.length - RECEIPTS_FOLLOWED
    let seam: (RoomSeam & { count: number }) | undefined
    fold.messages.forEach((node, index) => {
      const gap = gaps.above.get(node.id)
      if (gap !== undefined) items.push(gap)
      const item = draw(node, index >= followedFrom, record)
      seam = seamAbove(seam, item, gap)
      if (seam?.count === 1) items.push(seam)
      items.push(item)
    })
    return items
  }

  const present = (isSo: (state: PresenceState) => boolean): PersonId[] => {
    const people = new Set<PersonId>()
    for (const [device, state] of ports.others()) {
      const who = personOf(device)
      if (who !== undefined && who !== person && isSo(state)) people.add(who)
    }
    return [...people]
  }

  const summaryOf = (items: readonly RoomItem[]): RoomSummary & { firstUnread: MessageId | undefined } => {
    const record = ports.record()
    let unread = 0
    let firstUnread: MessageId | undefined
    let last: RoomMessage | RoomAnswer | undefined
    let updatedAt: number | undefined
    for (const item of items) {
      if (item.kind !== 'message' && item.kind !== 'answer') continue
      last = item
      // not of the last alone: dated back it would take the room out of sight, whatever others wrote
      updatedAt = Math.max(updatedAt ?? 0, item.writtenAt)
      if (!item.unread) continue
      unread += 1
      firstUnread ??= item.id
    }
    return {
      id: record.id,
      name: fold.setting('name')?.operation.name ?? '',
      people: record.people.map((each) => each.person),
      unread,
      firstUnread,
      last: last && {
        person: last.kind === 'message' ? last.person : undefined,
        ai: last.kind === 'answer',
        excerpt: excerptFrom(last.text),
      },
      updatedAt: updatedAt ?? record.createdAt,
    }
  }

  return {
    content(node) {
      catchUp()
      return contentOf(node)
    },
    ahead(node, order) {
      catchUp()
      return said.ahead(node, order)
    },
    isSeen(node) {
      catchUp()
      return isSeen(node)
    },
    view() {
      catchUp()
      const items = itemsOf()
      return {
        ...summaryOf(items),
        record: ports.record(),
        rule: fold.setting('rule')?.operation.rule ?? 'when-asked',
        items,
        typing: present((state) => state.typing),
        present: present((state) => state.here),
        health: fold.health(),
      }
    },
    receipts(node) {
      catchUp()
      const record = ports.record()
      const holders = new Set(holdersOf(node, record))
      return {
        devices: record.devices.map((device) => ({ device, holds: holders.has(device) })),
        seenBy: seenByOthers(node, record),
      }
    },
    forget() {
      contents.clear()
      drawn.clear()
      deliveries.clear()
      ownDevices.clear()
      said.forget()
      seen.forget('all')
    },
  }
}

/** One seam stands above messages of one device that came late together. */
function seamAbove(
  before: (RoomSeam & { count: number }) | undefined,
  item: RoomMessage | RoomAnswer,
  gap: RoomGap | undefined,
): (RoomSeam & { count: number }) | undefined {
  if (item.late === undefined) return undefined
  const isSame =
    gap === undefined &&
    before !== undefined &&
    before.device === item.device &&
    before.arrivedAt === item.late.arrivedAt
  if (isSame) {
    before.count += 1
    return before
  }
  return { kind: 'seam', id: `seam-${item.id}`, device: item.device, count: 1, ...item.late }
}

/** Where something is known of and not here: above the first message that names it. */
function gapsIn(
  fold: RoomFold,
  record: RoomRecord,
  person: PersonId,
): { readonly before: RoomGap | undefined; readonly above: ReadonlyMap<MessageId, RoomGap> } {
  const since = record.people.find((each) => each.person === person)?.since
  const cameLater = record.history === 'joining' && since !== undefined && since > record.createdAt
  const counts = new Map<MessageId, number>()
  let before = 0
  for (const [id, children] of fold.missing()) {
    const writtenAt = timeOfId(id)
    if (cameLater && writtenAt !== undefined && writtenAt < since) {
      before += 1
      continue
    }
    let first: MessageNode | undefined
    for (const child of children) if (first === undefined || comparePlaces(child, first) < 0) first = child
    if (first !== undefined) counts.set(first.id, (counts.get(first.id) ?? 0) + 1)
  }
  const above = new Map<MessageId, RoomGap>()
  for (const [id, count] of counts) above.set(id, { kind: 'gap', id: `gap-${id}`, reason: 'fetching', count })
  return {
    before: cameLater ? { kind: 'gap', id: 'gap-before', reason: 'before-joining', count: before, since } : undefined,
    above,
  }
}

const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz'

/** When an id of `sortableId` was made, by its maker: a hint for words, never for rights. */
function timeOfId(id: string): number | undefined {
  if (id.length < 10) return undefined
  let time = 0
  for (const character of id.slice(0, 10)) {
    const digit = ALPHABET.indexOf(character)
    if (digit < 0) return undefined
    time = time * 32 + digit
  }
  return time
}

/** The same objects where nothing changed, so that nothing is drawn again for them. */
function keepSame(
  before: ReadonlyMap<MessageId, Late>,
  next: ReadonlyMap<MessageId, Late>,
): ReadonlyMap<MessageId, Late> {
  const kept = new Map<MessageId, Late>()
  for (const [id, late] of next) {
    const old = before.get(id)
    const isSame = old !== undefined && old.writtenAt === late.writtenAt && old.arrivedAt === late.arrivedAt
    kept.set(id, isSame ? old : late)
  }
  return kept
}

function isSameDelivery(a: Delivery, b: Delivery): boolean {
  if (a.kind !== b.kind || a.of !== b.of) return false
  const devices = (delivery: Delivery): string => (delivery.kind === 'saved' ? '' : delivery.devices.join())
  const people = (delivery: Delivery): string => (delivery.kind === 'seen' ? delivery.people.join() : '')
  return devices(a) === devices(b) && people(a) === people(b)
}
