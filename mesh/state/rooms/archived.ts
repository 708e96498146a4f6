import {
  ROOM_IMPORTED_NAME_MAX_LENGTH,
  ROOM_ORDER_MAX,
  ROOM_PART_MAX_LENGTH,
  type DeviceId,
  type MessageId,
  type PersonId,
  type RoomId,
} from '../../base/index.ts'
import { cutParts } from './answer-text.ts'
import { answerContent, isSamePerson, messageContent, type ContentPorts, type PersonOf } from './contents.ts'
import type { StoredOperation } from './document.ts'
import { createRoomFold, type MessageNode, type RoomFold } from './fold.ts'
import { createLastSaid } from './last-said.ts'
import type { Imported, RoomHappening } from './operations.ts'
import type { RoomHistory } from './rooms.ts'

/** A room as one device could read it, with everything needed to understand it elsewhere. */
export interface ArchivedRoom {
  readonly id: RoomId
  readonly history: RoomHistory
  /** ms since 1970 */
  readonly createdAt: number
  /** The person whose archive it is. */
  readonly self: PersonId
  /** Names of those who took part or wrote something. */
  readonly people: readonly { readonly id: PersonId; readonly name: string }[]
  /** Whose each device was. */
  readonly devices: readonly { readonly id: DeviceId; readonly person: PersonId }[]
  readonly operations: readonly (StoredOperation & { readonly id: string })[]
}

/** An operation to be written, with the id it will have. */
interface Written {
  readonly id: string
  readonly happening: RoomHappening
}

/** What writing an archived room down again takes. */
export interface ReauthorPorts {
  /** The room it is written into, as it is now. */
  readonly target: RoomFold
  readonly self: DeviceId
  /** Whose a device is in the mesh of the target. */
  readonly personOf: PersonOf
  newId(): string
}

/** Whether words were changed is not taken along. */
const contentPorts = (personOf: PersonOf): ContentPorts => {
  const said = createLastSaid(personOf)
  return { personOf, isOneWrite: () => true, lastSaid: (node) => said.of(node) }
}
const UNFINISHED = { code: 'aborted', message: 'This answer was not finished when it was exported.' } as const

/**
 * The operations that bring an archived room into another one, as words of this
 * device: what stood there in the end, in its order, each message with who wrote it.
 * What the target has already is left out, so doing it twice does nothing. Deleted
 * messages stay deleted.
 */
export function reauthor(room: ArchivedRoom, ports: ReauthorPorts): readonly Written[] {
  const source = foldOf(room.operations)
  const personOf = personOfDevices(room)
  const known = importedIn(ports)
  const written: Written[] = []
  const idOf = new Map<MessageId, MessageId>()
  let last: { readonly id: MessageId; readonly order: number } | undefined
  const write = (happening: RoomHappening): string => {
    const id = ports.newId()
    written.push({ id, happening })
    return id
  }
  for (const node of source.messages) {
    const from = originOf(node, room, personOf)
    const there = known.get(from.id)
    if (there === undefined && isGone(node, personOf)) continue
    const order = Math.min(Math.max(node.order, (last?.order ?? -1) + 1), ROOM_ORDER_MAX)
    const id = there?.id ?? (write(headOf(node, { from, order, parent: last?.id, idOf })) as MessageId)
    if (there === undefined) for (const happening of aboutOf(node, id, order, personOf)) write(happening)
    idOf.set(node.id, id)
    last = { id, order: there?.order ?? order }
  }
  if (written.length > 0 && last !== undefined) write({ op: 'read', heads: [last.id], missing: [] })
  return [...settingsOf(room, source, ports).map((happening) => ({ id: ports.newId(), happening })), ...written]
}

/** The rooms that were imported into this one by its person, and by nobody else: a member could lie about it. */
export function originsOf(target: RoomFold, self: DeviceId, personOf: PersonOf): ReadonlySet<RoomId> {
  const origins = [...target.origins.values()].filter(({ author }) => isSamePerson(author, self, personOf))
  return new Set(origins.map(({ operation }) => operation.room))
}

/** A fold of operations that are in no document. */
export function foldOf(operations: ArchivedRoom['operations']): RoomFold {
  const fold = createRoomFold()
  for (const { id, ...stored } of operations) fold.put(id, stored)
  return fold
}

function personOfDevices({ devices }: ArchivedRoom): PersonOf {
  const owners = new Map(devices.map(({ id, person }) => [id, person]))
  return (device) => owners.get(device)
}

/** Messages of the target by what they were imported from. */
function importedIn({ target, self, personOf }: ReauthorPorts): ReadonlyMap<string, MessageNode> {
  const known = new Map<string, MessageNode>()
  for (const node of target.messages) {
    const { imported } = node.head.operation
    // another member's word must not keep a message out
    if (imported !== undefined && isSamePerson(node.head.author, self, personOf)) known.set(imported.id, node)
  }
  return known
}

function originOf(node: MessageNode, room: ArchivedRoom, personOf: PersonOf): Imported {
  const { author, operation } = node.head
  const person = personOf(author)
  const name = room.people.find((one) => one.id === person)?.name ?? ''
  const before = operation.imported
  if (before === undefined) {
    const writtenAt = Math.min(Math.max(0, Math.floor(node.head.at)), ROOM_ORDER_MAX)
    return { id: node.id, author: named(name), device: author, writtenAt }
  }
  // what this person imported stays as it is; another's word for it stays that other's
  return person === room.self ? before : { ...before, author: named(`${before.author}, imported by ${named(name)}`) }
}

function named(name: string): string {
  return name.slice(0, ROOM_IMPORTED_NAME_MAX_LENGTH) || 'Someone'
}

function isGone(node: MessageNode, personOf: PersonOf): boolean {
  return node.head.operation.op === 'say' && messageContent(node, contentPorts(personOf)).state !== 'here'
}

function headOf(
  node: MessageNode,
  place: {
    readonly from: Imported
    readonly order: number
    readonly parent: MessageId | undefined
    readonly idOf: ReadonlyMap<MessageId, MessageId>
  },
): RoomHappening {
  const { operation } = node.head
  const common = {
    order: place.order,
    parents: place.parent === undefined ? [] : [place.parent],
    imported: place.from,
  }
  if (operation.op === 'say') return { op: 'say', ...common }
  // a question that is gone keeps its id, which names nothing here
  return { op: 'answer', ...common, question: place.idOf.get(operation.question) ?? operation.question }
}

function aboutOf(node: MessageNode, id: MessageId, order: number, personOf: PersonOf): RoomHappening[] {
  if (node.head.operation.op === 'say') {
    const { text, attachments, mentions } = messageContent(node, contentPorts(personOf))
    // people of another mesh are nobody here
    const kept = mentions.filter((mention) => mention === 'ai')
    return [
      {
        ...{ op: 'text', message: id, order, text },
        mentions: kept.length === 0 ? undefined : kept,
        attachments: attachments.length === 0 ? undefined : attachments,
      },
    ]
  }
  const { text, route, end, hiddenBy } = answerContent(node, contentPorts(personOf))
  const happenings: RoomHappening[] = cutParts(text, ROOM_PART_MAX_LENGTH).map((part) => ({
    ...{ op: 'part', answer: id },
    ...part,
  }))
  if (route !== undefined) happenings.push({ op: 'route', answer: id, route })
  const ended = end ?? { state: 'failed' as const, figures: undefined, error: UNFINISHED }
  happenings.push({ op: 'end', answer: id, state: ended.state, length: text.length, figures: ended.figures, error: ended.error }) // prettier-ignore
  if (hiddenBy !== undefined) happenings.push({ op: 'hide', answer: id, order, hidden: true })
  return happenings
}

/** Name, rule and where it came from, for a room that was just made for it. */
function settingsOf(room: ArchivedRoom, source: RoomFold, { target, self, personOf }: ReauthorPorts): RoomHappening[] {
  if (originsOf(target, self, personOf).has(room.id)) return []
  const name = source.setting('name')?.operation.name
  const rule = source.setting('rule')?.operation.rule
  const happenings: RoomHappening[] = [{ op: 'origin', room: room.id }]
  if (name !== undefined) happenings.push({ op: 'name', order: 0, name })
  if (rule !== undefined) happenings.push({ op: 'rule', order: 0, rule })
  return happenings
}
