import type { ChatId, MessageId, ModelId } from '../../mesh/base/index.ts'
import type { ChatSummary, ChatView } from '../../mesh/state/index.ts'
import type { Answering, AppPeer, AskOptions, Asked, LiveAnswer } from '../peer/app-peer.ts'

/** At most this often a stream redraws what it changed: once a frame. */
const HIDDEN_REFRESH_MS = 250

/** Chats and answers on their way, as screens read them. */
export class Chatting {
  readonly #peer: AppPeer
  #list = $state.raw<readonly ChatSummary[]>([])
  // counts changes: snapshots behind it are read again by whoever read it
  #change = $state(0)
  #scheduled = false

  constructor(peer: AppPeer) {
    this.#peer = peer
    this.#list = peer.chats.list()
  }

  get #answering(): Answering {
    return this.#peer.answering
  }

  /** Follows the chats until the returned function is called. */
  listen(): () => void {
    const endChats = this.#peer.chats.changes.subscribe(() => {
      this.#schedule()
    })
    const endLive = this.#answering.changes.subscribe(() => {
      this.#schedule()
    })
    this.#refresh()
    return () => {
      endChats()
      endLive()
    }
  }

  #schedule(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    const run = (): void => {
      this.#scheduled = false
      this.#refresh()
    }
    // no frames come while the page is hidden
    if (document.hidden) setTimeout(run, HIDDEN_REFRESH_MS)
    else requestAnimationFrame(run)
  }

  #refresh(): void {
    this.#list = this.#peer.chats.list()
    this.#change += 1
  }

  /** Newest first. */
  get list(): readonly ChatSummary[] {
    return this.#list
  }
  /** A chat with the branch shown now. */
  view(chat: ChatId | undefined): ChatView | undefined {
    void this.#change
    return chat === undefined ? undefined : this.#peer.chats.get(chat)
  }
  /** What an answer does now; nothing once it ended. */
  live(answer: MessageId): LiveAnswer | undefined {
    void this.#change
    return this.#answering.live(answer)
  }
  /** The answer on its way in a chat. */
  liveIn(chat: ChatId | undefined): LiveAnswer | undefined {
    void this.#change
    return chat === undefined ? undefined : this.#answering.liveIn(chat)
  }

  create(): Promise<ChatId> {
    return this.#peer.chats.create()
  }
  rename(chat: ChatId, title: string): Promise<void> {
    return this.#peer.chats.rename(chat, title)
  }
  delete(chat: ChatId): Promise<void> {
    return this.#peer.chats.delete(chat)
  }
  chooseModel(chat: ChatId, model: ModelId | undefined): Promise<void> {
    return this.#peer.chats.chooseModel(chat, model)
  }
  showBranch(chat: ChatId, message: MessageId): Promise<void> {
    return this.#peer.chats.showBranch(chat, message)
  }
  export(chat: ChatId, format: 'markdown' | 'json'): string {
    return this.#peer.chats.export(chat, format)
  }
  send(chat: ChatId, text: string, options?: AskOptions): Promise<Asked> {
    return this.#answering.send(chat, text, options)
  }
  regenerate(chat: ChatId, answer: MessageId): Promise<MessageId> {
    return this.#answering.regenerate(chat, answer)
  }
  edit(chat: ChatId, question: MessageId, text: string): Promise<Asked> {
    return this.#answering.edit(chat, question, text)
  }
  stop(answer: MessageId): void {
    this.#answering.stop(answer)
  }
}
