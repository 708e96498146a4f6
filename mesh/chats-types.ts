import type { ChatId, EventSource, MeshError } from './base/index.ts'

/**
 * The chats of this device's person, kept the same on all devices of that person. Who
 * has them open (`createChats` over the same store) writes them and says so here.
 */
export interface MeshChats {
  /** Something in this chat was made durable, or the chat was made or deleted. */
  wrote(chat: ChatId): void
  /** Other devices did something in this chat, and it is in the store now: read it again. */
  readonly changes: EventSource<ChatId>
  /** A chat is not whole on all devices, and why. */
  readonly problems: EventSource<MeshError>
}
