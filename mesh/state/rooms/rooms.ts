import type { DeviceId, ErrorCode, EventSource, MeshError, MessageId, PersonId, RoomId } from '../../base/index.ts'
import type { AskPhase, Route } from '../../route/index.ts'
import type { AnswerFigures } from '../chats.ts'
import type { RoomHealth } from './fold.ts'
import type { Attachment, Imported, Mention, RoomRule } from './operations.ts'

/** What those who come to a room later may read: everything, or what is written from then on. */
export type RoomHistory = 'all' | 'joining'

/** A room as the ledger tells it: who may read it. What is in it is told by its document. */
export interface RoomRecord {
  readonly id: RoomId
  readonly history: RoomHistory
  /** ms since 1970 */
  readonly createdAt: number
  readonly createdBy: PersonId
  /** The device that made it, where it is known. */
  readonly madeOn?: DeviceId | undefined
  /** Who takes part, and since when (ms since 1970). */
  readonly people: readonly { readonly person: PersonId; readonly since: number }[]
  /** Devices the room is open to, this one among them. */
  readonly devices: readonly DeviceId[]
}

/** How far an own message is known to have come. It never says more than is known. */
export type Delivery =
  /** It is durable on this device and nobody else told that they hold it. */
  | { readonly kind: 'saved'; readonly of: number }
  /** These devices hold it, of so many that the room is open to. */
  | { readonly kind: 'spread'; readonly devices: readonly DeviceId[]; readonly of: number }
  /** It was on the screen of these people. */
  | {
      readonly kind: 'seen'
      readonly people: readonly PersonId[]
      readonly devices: readonly DeviceId[]
      readonly of: number
    }

/** When something was written that took its place above what was already here. */
export interface Late {
  /** ms since 1970 by the author's clock. */
  readonly writtenAt: number
  /** ms since 1970 by this device; undefined: it came while the room was closed here. */
  readonly arrivedAt: number | undefined
}

interface Entry {
  readonly id: MessageId
  /** The device that wrote it: proven. */
  readonly device: DeviceId
  /** ms since 1970 by the author's clock, never after it arrived here. */
  readonly writtenAt: number
  readonly late?: Late | undefined
  /** It was written elsewhere and imported by `device`, which alone says so: to be shown as that. */
  readonly imported?: Imported | undefined
  /** Not yet on any screen of this person. */
  readonly unread: boolean
}

/** A message of a person. */
export interface RoomMessage extends Entry {
  readonly kind: 'message'
  /** Undefined: the device is not known to belong to anybody here. */
  readonly person: PersonId | undefined
  /** Written on a device of this person. */
  readonly own: boolean
  /** `deleted`: the text is gone. `coming`: the text is not here yet. */
  readonly state: 'here' | 'deleted' | 'coming'
  readonly text: string
  readonly mentions: readonly Mention[]
  readonly attachments: readonly Attachment[]
  readonly edited: boolean
  /** For own messages that are here. */
  readonly delivery?: Delivery | undefined
}

/** Where an answer is. `interrupted`: its device fell silent; it may still go on. */
export type RoomAnswerState = 'waiting' | 'streaming' | 'done' | 'stopped' | 'failed' | 'interrupted'

/** An answer of the AI. `device` is the one that asked the mesh and wrote it down. */
export interface RoomAnswer extends Entry {
  readonly kind: 'answer'
  readonly question: MessageId
  /** Who asked. */
  readonly asker: PersonId | undefined
  /** This device is writing it. */
  readonly writingHere: boolean
  readonly state: RoomAnswerState
  readonly text: string
  /** Which device and model answered, and why. */
  readonly route?: Route | undefined
  readonly figures?: AnswerFigures | undefined
  /** For an answer this device asked for: what the wait is for. */
  readonly phase?: AskPhase | undefined
  readonly error?: { readonly code: ErrorCode; readonly message: string } | undefined
  /** Who stopped it; undefined while nobody did. */
  readonly stoppedBy?: PersonId | undefined
  /** Who hid it for all. */
  readonly hiddenBy?: PersonId | undefined
  /** Text that this device could not make durable yet. */
  readonly unsaved?: true | undefined
}

/** Something is known of and not here. */
export interface RoomGap {
  readonly kind: 'gap'
  readonly id: string
  /** `before-joining`: not this person's to read. `fetching`: it should come. */
  readonly reason: 'before-joining' | 'fetching'
  /** How many are named; there may be more above those. */
  readonly count: number
  /** ms since 1970, for `before-joining`: since when this person may read. */
  readonly since?: number | undefined
}

/** Stands above messages that came late. */
export interface RoomSeam extends Late {
  readonly kind: 'seam'
  readonly id: string
  readonly device: DeviceId
  readonly count: number
}

/** One line of a room, from above. */
export type RoomItem = RoomMessage | RoomAnswer | RoomGap | RoomSeam

/** A room in the list. From what was last seen of it, while it is not open. */
export interface RoomSummary {
  readonly id: RoomId
  /** Empty: not known yet. */
  readonly name: string
  readonly people: readonly PersonId[]
  readonly unread: number
  /** The last line: who and the beginning of the text. `person` undefined: the AI, or unknown. */
  readonly last?: { readonly person: PersonId | undefined; readonly ai: boolean; readonly excerpt: string } | undefined
  /** ms since 1970 of the last message; of the room itself while there is none. */
  readonly updatedAt: number
}

/** An open room. */
export interface RoomView extends RoomSummary {
  readonly record: RoomRecord
  readonly rule: RoomRule
  readonly items: readonly RoomItem[]
  readonly firstUnread: MessageId | undefined
  /** Other people writing now. */
  readonly typing: readonly PersonId[]
  /** Other people who have the room before them now. */
  readonly present: readonly PersonId[]
  readonly health: RoomHealth
}

/** Which devices hold a message, and who has seen it. */
export interface Receipts {
  readonly devices: readonly { readonly device: DeviceId; readonly holds: boolean }[]
  readonly seenBy: readonly PersonId[]
}

/** What a search found. */
export interface RoomSearch {
  /** Newest first. */
  readonly found: readonly { readonly room: RoomId; readonly message: MessageId; readonly excerpt: string }[]
  /** False when the search ended at its bound before everything was looked at. */
  readonly whole: boolean
}

/** A message for programs: in the common order. */
export interface RoomLine {
  readonly id: MessageId
  /** A person's name, or `ai`. */
  readonly author: string
  readonly device: DeviceId
  readonly text: string
  /** ms since 1970 */
  readonly writtenAt: number
  /** It was written elsewhere and imported by `author`, who alone says so. */
  readonly imported?: Imported | undefined
  /**
   * A message: how far it is known to have come, and of another person's that is here, `spread`,
   * for it is with its author and here; or `deleted`, `coming`. An answer: where it is.
   */
  readonly state: Delivery['kind'] | Exclude<RoomMessage['state'], 'here'> | RoomAnswerState
}

/** Who hears of changes: the room, or null when the list changed. */
export interface RoomChange {
  readonly room: RoomId | null
}

interface Cancellable {
  readonly signal?: AbortSignal | undefined
}

/** For what is added to a room. */
export interface Once extends Cancellable {
  /** A fresh `sortableId`: the same wish made again under it is not done again. Absent: each wish is a new one. */
  readonly key?: string | undefined
}

/** The document of a room, or of any, holds more that can be read. */
export interface RoomNews {
  readonly room: RoomId | null
  /** Whose words came; nobody's: only keys did. */
  readonly by: ReadonlySet<PersonId | undefined>
}

/** What a message may carry beside its text. */
export interface SayOptions extends Cancellable {
  readonly mentions?: readonly Mention[] | undefined
  readonly attachments?: readonly Attachment[] | undefined
}

/**
 * All rooms of this person on this device. What resolves is durable on this device,
 * and nothing is shown before it is; what fails was not done.
 * @throws MeshError `usage` for what is not there, empty or not open, `too-large`,
 * `unauthorized` for what only the author may do, and those of the Store.
 */
export interface Rooms {
  /** The person of this device now: it is another one after a join. */
  readonly self: PersonId
  readonly changes: EventSource<RoomChange>
  /** Failures nobody waits for: an answer that could not be stored yet, a mark that was not written. */
  readonly problems: EventSource<MeshError>
  /** Newest first. */
  list(): readonly RoomSummary[]
  /** Makes a room of these people and this one, and opens it. */
  create(
    options: {
      readonly name: string
      readonly people: readonly PersonId[]
      readonly history: RoomHistory
    } & Cancellable,
  ): Promise<RoomId>
  /** Reads the document of a room. Does nothing when it is open. */
  open(room: RoomId, options?: Cancellable): Promise<void>
  /** Lets go of the document. Answers being written here go on; the room closes after them. */
  close(room: RoomId): Promise<void>
  /** About how much memory it takes while it is open, in bytes; told without opening it. */
  weigh(room: RoomId, options?: Cancellable): Promise<number>
  /**
   * From now on the list tells also what came into rooms that are not open, soon after it did: each is looked
   * at and let go of again, one at a time, those that weigh at most so much. Returns what ends it.
   */
  keepCurrent(maxBytes: number): () => void
  /** An open room. */
  get(room: RoomId): RoomView | undefined
  /** Writes a message. Where it addresses the AI, or the room's rule says so, the mesh is asked next. */
  say(room: RoomId, text: string, options?: SayOptions & Once): Promise<MessageId>
  /** Other words for an own message; the earlier ones are erased where they were written. */
  edit(room: RoomId, message: MessageId, text: string, options?: SayOptions): Promise<void>
  /** Takes the text of an own message out of the room. */
  delete(room: RoomId, message: MessageId, options?: Cancellable): Promise<void>
  /** Asks the AI to answer a message. */
  ask(room: RoomId, message: MessageId, options?: Once): Promise<MessageId>
  /** Stops an answer, whoever asked for it. */
  stop(room: RoomId, answer: MessageId, options?: Cancellable): Promise<void>
  /** Hides an answer for all, or shows it again. */
  hide(room: RoomId, answer: MessageId, hidden: boolean, options?: Cancellable): Promise<void>
  rename(room: RoomId, name: string, options?: Cancellable): Promise<void>
  setRule(room: RoomId, rule: RoomRule, options?: Cancellable): Promise<void>
  /** These were on the screen. Told to the others at most every few seconds. */
  markSeen(room: RoomId, messages: readonly MessageId[]): void
  markAllSeen(room: RoomId): void
  /** This person has the room before them, and writes or does not. False: they left it. */
  attend(room: RoomId, attention: 'typing' | 'here' | 'away'): void
  receipts(room: RoomId, message: MessageId): Receipts
  /** Looks for all words in the open rooms, or in one of them. One that is asked for later ends those before it where they are. */
  search(words: string, options?: { readonly room?: RoomId | undefined }): Promise<RoomSearch>
  /** The messages of a room in the common order; opens it if need be. */
  read(room: RoomId, options?: Cancellable): Promise<readonly RoomLine[]>
  /** Lets go of everything; answers on their way are ended as failed, text kept. */
  stopAll(): Promise<void>
}
