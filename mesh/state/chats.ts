import type { ChatId, ErrorCode, EventSource, MeshError, MessageId, ModelId } from '../base/index.ts'
import type { Usage } from '../engine/index.ts'
import type { Route } from '../route/index.ts'

/** Where a message is. An answer found `streaming` with nobody writing it reads as `failed`. */
export type MessageState = 'waiting' | 'streaming' | 'done' | 'stopped' | 'failed'

/** Figures of an answer, for the line under it. */
export interface AnswerFigures {
  readonly usage: Usage
  /** From the tap on Send to the first text on this device. */
  readonly firstTokenMs: number
  readonly tokensPerSecond: number
  /** Bytes of the request as they left this device. */
  readonly bytesSent: number
}

/** One message of a person or one answer of the AI: a node of the chat's tree. */
export interface MessageView {
  readonly id: MessageId
  /** The message this one follows; null for the first. */
  readonly parent: MessageId | null
  readonly author: 'person' | 'ai'
  readonly text: string
  /** Other words stood here first on this device: the device that wrote them put these in their place. */
  readonly edited?: boolean | undefined
  /** Came, or ended, late of a device that was removed: part of the chat only where somebody chose to go on from it. */
  readonly late?: boolean | undefined
  readonly state: MessageState
  /** ms since 1970 */
  readonly createdAt: number
  /** Ids of the messages with the same parent and author, oldest first, this one among them: the branches `‹2/3›`. */
  readonly siblings: readonly MessageId[]
  /** For answers: which device and model, and why. */
  readonly route?: Route | undefined
  readonly figures?: AnswerFigures | undefined
  /** For an answer without an end here that another device of the person writes: its name; empty while that is not known. */
  readonly elsewhere?: string | undefined
  /** For `failed`. */
  readonly error?: { readonly code: ErrorCode; readonly message: string } | undefined
}

/** A chat in the list. */
export interface ChatSummary {
  readonly id: ChatId
  /** Given by the person, else made from the first message; empty for a new chat. */
  readonly title: string
  readonly createdAt: number
  /** ms since 1970 of the last message. */
  readonly updatedAt: number
  /** The beginning of the last message shown, one line. */
  readonly excerpt: string
  readonly lastState: MessageState | undefined
  /** The model chosen in the composer; absent: Auto. */
  readonly model?: ModelId | undefined
  /** The device that writes the last answer, where it is another one. */
  readonly elsewhere?: string | undefined
}

/** A chat with the branch that is shown now. */
export interface ChatView extends ChatSummary {
  /** From the first message to the leaf in view. */
  readonly path: readonly MessageView[]
  /** What came late of removed devices and belongs to this branch, in the order of their places. Absent: nothing. */
  readonly aside?: readonly LateWords[] | undefined
}

/**
 * Messages that came late of a device that was removed, at one place of a branch. They are no part of the chat,
 * and told to no model, until somebody chooses to go on from one: see `Chats.showBranch`.
 */
export interface LateWords {
  /** The message of the branch they come after; null: they come before the first. */
  readonly below: MessageId | null
  readonly messages: readonly MessageView[]
}

/** Who hears of changes: the chat, or null when the list itself changed. */
export interface ChatChange {
  readonly chat: ChatId | null
  /** True when this tab just made something durable: other tabs of the profile should `refresh`. */
  readonly stored: boolean
}

/** What was found when the chats were read. Nothing of it hides anything else. */
export interface ChatsHealth {
  /** Entries that could not be read and were skipped. */
  readonly corruptEntries: number
  /** Entries of a newer version, kept and skipped. */
  readonly newerEntries: number
}

interface Cancellable {
  readonly signal?: AbortSignal | undefined
}

/** An answer that was begun and of which no text is durable, with nobody writing it. */
export interface UnbegunAnswer {
  readonly chat: ChatId
  /** The person's message it belongs to. */
  readonly question: MessageId
  readonly message: MessageId
}

/**
 * A name for what is added, chosen by the caller: the same wish made again under the
 * same name adds nothing. Absent: a fresh one.
 */
interface Named<Id> {
  readonly id?: Id | undefined
}

/**
 * All chats of this device: an append-only log of tree operations behind the
 * Store port, and its fold. What other devices of the person did comes into the same
 * logs; see chat-mirror.ts. Each mutation resolves once it is durable.
 * @throws MeshError of the Store; `usage` for an unknown id or empty text.
 */
export interface Chats {
  readonly changes: EventSource<ChatChange>
  /** Failures that no caller waits for: a corrupt entry, text that could not be made durable yet. */
  readonly problems: EventSource<MeshError>
  health(): ChatsHealth
  /** Newest first; deleted ones are not in it. */
  list(): readonly ChatSummary[]
  get(chat: ChatId): ChatView | undefined
  /** The messages from the first one to this one; undefined where no such message is part of the chat. */
  branch(chat: ChatId, message: MessageId): readonly MessageView[] | undefined
  create(options?: Cancellable & Named<ChatId>): Promise<ChatId>
  rename(chat: ChatId, title: string, options?: Cancellable): Promise<void>
  delete(chat: ChatId, options?: Cancellable): Promise<void>
  chooseModel(chat: ChatId, model: ModelId | undefined, options?: Cancellable): Promise<void>
  /** Adds a person's message below `parent` (null: a first message) and shows its branch. */
  addPersonMessage(
    chat: ChatId,
    parent: MessageId | null,
    text: string,
    options?: Cancellable & Named<MessageId>,
  ): Promise<MessageId>
  /**
   * Adds an empty answer (`waiting`) below a person's message and shows its branch. Under the name of
   * an open answer that nobody writes, it is that one that is gone on with. @throws MeshError `conflict` when it ended or is written.
   */
  addAnswer(chat: ChatId, parent: MessageId, options?: Cancellable & Named<MessageId>): Promise<AnswerWriter>
  /** Shows the branch through this message, down to its newest leaf. What came late is part of the chat from then on. */
  showBranch(chat: ChatId, message: MessageId, options?: Cancellable): Promise<void>
  /** The whole tree as Markdown (the branch shown) or JSON (everything). */
  export(chat: ChatId, format: 'markdown' | 'json'): string
  /** Reads what another tab of this profile appended: to one chat, or to all. */
  refresh(options?: Cancellable & { readonly chat?: ChatId | undefined }): Promise<void>
  /**
   * Writes down that answers of this device which nobody writes any more are `failed`, their text kept.
   * Only the tab that holds the peer may call it: others may still be writing else.
   * With `spareUnbegun` those without any text stay open and are returned, to be asked again.
   * `lastTold` gives what the tab that wrote an answer last said of it, where that is more than it had stored.
   */
  closeAbandoned(
    options?: Cancellable & {
      readonly spareUnbegun?: boolean | undefined
      readonly lastTold?: ((message: MessageId) => string | undefined) | undefined
    },
  ): Promise<readonly UnbegunAnswer[]>
}

/** Writes one answer while it streams. Text is visible at once and durable at least every 500 ms. */
export interface AnswerWriter {
  readonly id: MessageId
  route(route: Route): void
  append(text: string): void
  /** Resolves when everything written is durable. After it, nothing more is accepted. */
  finish(
    end:
      | { readonly state: 'done'; readonly figures: AnswerFigures }
      | { readonly state: 'stopped'; readonly figures?: AnswerFigures | undefined }
      | { readonly state: 'failed'; readonly error: { readonly code: ErrorCode; readonly message: string } },
    options?: Cancellable,
  ): Promise<void>
  /** Leaves the answer open, as it is in the store: another tab writes it now. After it, nothing more is accepted. */
  abandon(): void
}
