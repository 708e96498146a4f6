import type { ChatId, EventSource, MeshError, MessageId, ModelId } from '../../mesh/base/index.ts'
import type { MeshArchives } from '../../mesh/archive-types.ts'
import type { DeviceView, InvitationPreview, JoinProgress, LinkOpened, Mesh } from '../../mesh/mesh-types.ts'
import type { RecoverOptions } from '../../mesh/recovery-types.ts'
import type { AskPhase, Route } from '../../mesh/route/index.ts'
import type { Chats } from '../../mesh/state/index.ts'
import type { Shared } from './remote/shape.ts'
import type { RoomsPort } from './rooms-port.ts'

/**
 * What this tab is for its browser profile. One tab holds the peer (`leader`); a
 * `follower` does everything through it. `moving`: the peer is on its way to this tab.
 */
export type PeerStanding = 'starting' | 'leader' | 'follower' | 'moving'

/** Where a link that was opened or pasted stands. */
export interface PendingInvitation {
  /**
   * `reading` until the peer runs, then `offered` with a preview. `joining` after
   * `accept()`. `failed`: see `error`; `accept()` tries again where `preview` is there.
   */
  readonly phase: 'reading' | 'offered' | 'joining' | 'failed'
  readonly preview?: InvitationPreview | undefined
  /** While `joining`: what it waits for, and the pictures to compare. */
  readonly progress?: JoinProgress | undefined
  readonly error?: MeshError | undefined
}

/** The mesh as every tab has it: run here, or reached through the tab that runs it. Nobody but its owner stops it. */
export type SharedMesh = Omit<Shared<Mesh>, 'stop' | 'chats' | 'rooms' | keyof MeshArchives>

/**
 * The chats as every tab has them. Reading is from this tab's own copy; each mutation
 * resolves once the tab that holds the peer made it durable and it shows here.
 */
export type SharedChats = ChatReading & ChatWriting

/** What every tab reads from its own copy of the chats. */
export type ChatReading = Pick<Chats, 'changes' | 'problems' | 'health' | 'list' | 'get' | 'export' | 'refresh'>

/** What only the tab that holds the peer writes. */
export type ChatWriting = Pick<Chats, 'create' | 'rename' | 'delete' | 'chooseModel' | 'showBranch'>

/** Everything the screens read of this tab's peer. A new object after each change. */
export interface PeerState {
  readonly standing: PeerStanding
  /** The running mesh, once it is up here or in the tab that holds the peer. */
  readonly mesh: SharedMesh | undefined
  /** For followers: the tab that holds the peer did not answer lately. The next wish takes over by itself, *Use it here* at once. */
  readonly leaderSilent: boolean
  readonly invitation: PendingInvitation | undefined
  /** Why the peer or its storage does not work, in a sentence; `retry()` where it may help. */
  readonly problem: MeshError | undefined
  /** `volatile`: this browser refuses to store; what is written is gone when the tab closes. */
  readonly storage: 'durable' | 'volatile'
  /** This page came without protection: it keeps nothing, and joins as a guest or not at all. */
  readonly guest?: boolean | undefined
}

/** This browser profile's peer as one tab has it: the only thing the screens are given. */
export interface AppPeer {
  readonly chats: SharedChats
  readonly answering: Answering
  readonly rooms: RoomsPort
  /** Something in `state()` changed. */
  readonly changes: EventSource<void>
  state(): PeerState
  /** *Use it here*: moves the peer to this tab. Resolves once this tab leads. @throws MeshError `conflict`, `aborted`. */
  takeOver(options?: { readonly signal?: AbortSignal | undefined }): Promise<void>
  /** A link takes the place of the pending one; `opened`: how it came here. @throws MeshError `malformed`, `invitation-expired`. */
  offer(link: string, opened: LinkOpened): void
  /** Joins by the pending invitation; progress and failure are in `state().invitation`. Resolves when settled either way. */
  accept(): Promise<void>
  /** Whether the pictures that the pending invitation asks about are those of the other screen. @throws MeshError `invitation-unknown` */
  agree(matches: boolean): Promise<void>
  /** Forgets the pending invitation. */
  dismiss(): void
  /**
   * Shows six words and waits at the helper this page came from until somebody has
   * typed them on a device of a mesh. Resolves once admitted.
   * @throws MeshError `no-helper` when the page came from elsewhere: it needs a link;
   * `offline`, and those of `Mesh.knock`.
   */
  knock(options: Parameters<SharedMesh['knock']>[1]): Promise<DeviceView>
  /**
   * Comes back by recovery words or parts, at `place` (an address or link), else at the
   * helper this page came from.
   * @throws MeshError `no-helper` when neither is there, `offline`, `unsupported` on a page that came
   * without protection, and those of `Mesh.recover`
   */
  recover(secret: string, options: RecoverOptions & { readonly place?: string | undefined }): Promise<DeviceView>
  /**
   * Everything of this person in one file, out and in; undefined in a tab that does not
   * hold the peer. What is brought in shows in all tabs.
   */
  archives(): MeshArchives | undefined
  /** Starts again what `problem` names. */
  retry(): void
  /** Writes down what is in memory, says goodbye and closes. */
  close(): Promise<void>
}

/**
 * What an answer waits for or does now. `waiting`: no device can answer yet, see
 * `waitsFor`. Then the phases of the ask, then `writing`.
 */
export type LivePhase = 'waiting' | AskPhase | 'writing'

/** Why a question waits: this page's peer is starting, no device is there, a device is getting or loading the model. */
export type WaitsFor = 'peer' | 'device' | 'model'

/** An answer on its way. A snapshot: read again after a change. */
export interface LiveAnswer {
  readonly chat: ChatId
  readonly message: MessageId
  /** The model that was asked for; absent: any. */
  readonly model?: ModelId | undefined
  readonly phase: LivePhase
  /** For `waiting`. */
  readonly waitsFor?: WaitsFor | undefined
  /** For `queued`: how many are before this one. */
  readonly ahead?: number | undefined
  /** For `loading` and `reading`, and `waiting` for a model that is on its way: 0 to 1. */
  readonly fraction?: number | undefined
  /** ms since Send was tapped. */
  readonly elapsedMs: number
  /** ms in the present phase. */
  readonly phaseMs: number
  readonly tokens: number
  /** Measured here over the text so far, so only about right; undefined before the second token. */
  readonly tokensPerSecond: number | undefined
  readonly route: Route | undefined
}

/** What one may ask for beside the text. */
export interface AskOptions {
  /** Absent: the model chosen for the chat, else any. */
  readonly model?: ModelId | undefined
  /** Names for what is added, so that the same wish made twice is done once. Absent: fresh ones. */
  readonly ids?: Asked | undefined
}

/** The ids of what `send` and `edit` added. */
export interface Asked {
  readonly question: MessageId
  readonly answer: MessageId
}

/** Who hears of live answers: told at each event, and twice a second while one is on its way. */
export interface LiveChange {
  readonly chat: ChatId
  readonly message: MessageId
  /** `ended`: `live` gives nothing for it any more; the outcome is in the chat. */
  readonly kind: 'started' | 'progress' | 'ended'
}

/**
 * Asking and what comes back. Calls resolve once question and empty answer are
 * durable; the answer then writes itself. How it ended is in the chat.
 * @throws MeshError `timeout` when no tab of this profile could lead, `busy` while
 * this chat has an answer on its way, `usage` for empty text or unknown ids, and
 * those of the Store: nothing was asked then, and the text stays with the caller.
 */
export interface Answering {
  readonly changes: EventSource<LiveChange>
  /** Adds the text below what is shown of the chat and asks. */
  send(chat: ChatId, text: string, options?: AskOptions): Promise<Asked>
  /** Asks again for an answer: a new branch beside it. If that fails without any text, the earlier answer is shown again. */
  regenerate(chat: ChatId, answer: MessageId, options?: AskOptions): Promise<MessageId>
  /** Asks with other words: a new branch beside the person's message. */
  edit(chat: ChatId, question: MessageId, text: string, options?: AskOptions): Promise<Asked>
  /** Stops within 200 ms; the text so far is kept. Does nothing when it already ended. */
  stop(answer: MessageId): void
  live(answer: MessageId): LiveAnswer | undefined
  /** The answer on its way in this chat, if there is one. */
  liveIn(chat: ChatId): LiveAnswer | undefined
}
