import type { DeviceId, PersonId } from '../../base/index.ts'
import type { Route } from '../../route/index.ts'
import { joinParts } from './answer-text.ts'
import { mayTouch, type MessageNode, type RoomEntry, type Said } from './fold.ts'
import type { Attachment, Mention, RoomOperation, RoomOperationOf } from './operations.ts'

/** Port: whose a device is. Undefined: nobody's that is known here. */
export type PersonOf = (device: DeviceId) => PersonId | undefined

/** Port: see `RoomDocument.isOneWrite`. */
export type IsOneWrite = (first: string, second: string) => boolean

/** What counts of everything said about a message of a person. */
export interface MessageContent {
  readonly state: 'here' | 'deleted' | 'coming'
  readonly text: string
  readonly mentions: readonly Mention[]
  readonly attachments: readonly Attachment[]
  readonly edited: boolean
  /** The operation the text is in. */
  readonly textId: string | undefined
}

/** What counts of everything said about an answer. */
export interface AnswerContent {
  readonly text: string
  readonly route: Route | undefined
  readonly end: RoomOperationOf<'end'> | undefined
  readonly stoppedBy: DeviceId | undefined
  readonly hiddenBy: DeviceId | undefined
}

/** True when both devices are one, or of one known person. */
export function isSamePerson(a: DeviceId, b: DeviceId, personOf: PersonOf): boolean {
  if (a === b) return true
  const person = personOf(a)
  return person !== undefined && person === personOf(b)
}

function ofKind<Name extends RoomOperation['op']>(
  node: MessageNode,
  name: Name,
  counts: (author: DeviceId) => boolean,
): RoomEntry<RoomOperationOf<Name>>[] {
  const entries: RoomEntry[] = []
  for (const entry of node.about.values())
    if (entry.operation.op === name && mayTouch(entry, node) && counts(entry.author)) entries.push(entry)
  return entries as RoomEntry<RoomOperationOf<Name>>[]
}

/** What a content is told by. */
export interface ContentPorts {
  readonly personOf: PersonOf
  readonly isOneWrite: IsOneWrite
  /** See `LastSaid.of`. */
  lastSaid(node: MessageNode): Said | undefined
}

/** The message as it stands: the last words of its author's person, unless that person deleted it. */
export function messageContent(node: MessageNode, { personOf, isOneWrite, lastSaid }: ContentPorts): MessageContent {
  const byAuthor = (author: DeviceId): boolean => isSamePerson(author, node.head.author, personOf)
  const text = lastSaid(node) as RoomEntry<RoomOperationOf<'text'>> | undefined
  const isDeleted = ofKind(node, 'delete', byAuthor).length > 0
  if (isDeleted || text === undefined) {
    const state = isDeleted ? 'deleted' : 'coming'
    return { state, text: '', mentions: [], attachments: [], edited: false, textId: undefined }
  }
  const { operation } = text
  return {
    state: 'here',
    text: operation.text,
    mentions: operation.mentions ?? [],
    attachments: operation.attachments ?? [],
    // the first words came with the message itself: any others may be of after it was answered. Nobody but
    // who imported a message can have other words for it, and all of it is what they say
    edited: operation.order !== node.order || (!isImported(node) && !isOneWrite(node.id, text.id)),
    textId: text.id,
  }
}

function isImported({ head }: MessageNode): boolean {
  return head.operation.imported !== undefined
}

/** The answer as it stands. Its text and end are written by the device that began it and by no other. */
export function answerContent(node: MessageNode, { lastSaid }: Pick<ContentPorts, 'lastSaid'>): AnswerContent {
  const byWriter = (author: DeviceId): boolean => author === node.head.author
  const anyone = (): boolean => true
  const end = firstId(ofKind(node, 'end', byWriter))?.operation
  const stop = ofKind(node, 'stop', anyone)
  const hide = lastSaid(node) as RoomEntry<RoomOperationOf<'hide'>> | undefined
  return {
    text: joinParts(ofKind(node, 'part', byWriter).map((entry) => entry.operation)),
    route: firstId(ofKind(node, 'route', byWriter))?.operation.route,
    end,
    stoppedBy: firstStop(stop)?.author,
    hiddenBy: hide?.operation.hidden === true ? hide.author : undefined,
  }
}

/** True where words of it came late of a device that may not write any more: nobody says to have had them. */
export function hasLateWords(node: MessageNode): boolean {
  if (node.head.timing === 'late') return true
  for (const entry of node.about.values()) {
    const { op } = entry.operation
    if (entry.timing === 'late' && (op === 'text' || op === 'part') && mayTouch(entry, node)) return true
  }
  return false
}

/**
 * True where the words of a message that do not count may go for good: what says so was here, or with who may
 * write. By the word of another for one who may not any more they are hidden.
 */
export function isErasingSure(node: MessageNode, kept: string | undefined, personOf: PersonOf): boolean {
  if (kept !== undefined) return node.about.get(kept)?.timing === undefined
  const byAuthor = (author: DeviceId): boolean => isSamePerson(author, node.head.author, personOf)
  return ofKind(node, 'delete', byAuthor).some(({ timing }) => timing === undefined)
}

/** Own operations that hold text of a deleted message, or earlier words of an edited one. */
export function textToErase(node: MessageNode, self: DeviceId, kept: string | undefined): string[] {
  return ofKind(node, 'text', (author) => author === self)
    .map((entry) => entry.id)
    .filter((id) => id !== kept)
}

function firstStop(stops: readonly RoomEntry<RoomOperationOf<'stop'>>[]): RoomEntry | undefined {
  const isBefore = (a: (typeof stops)[number], b: (typeof stops)[number]): boolean =>
    a.operation.order < b.operation.order || (a.operation.order === b.operation.order && a.id < b.id)
  let first: (typeof stops)[number] | undefined
  for (const stop of stops) if (first === undefined || isBefore(stop, first)) first = stop
  return first
}

function firstId<Entry extends RoomEntry>(entries: readonly Entry[]): Entry | undefined {
  return entries.reduce<Entry | undefined>(
    (best, entry) => (best === undefined || entry.id < best.id ? entry : best),
    undefined,
  )
}
