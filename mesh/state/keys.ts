import { asId, type ChatId, type MessageId } from '../base/index.ts'

/** Records that say which chats there are; the key alone is enough to find one. */
export const CHAT_PREFIX = 'chats/chat/'
/** Records with the text of answers that are being written. */
export const DRAFT_PREFIX = 'chats/draft/'

/** The record of a chat. */
export function chatKey(chat: ChatId): string {
  return `${CHAT_PREFIX}${chat}`
}

/** The log of a chat. */
export function chatLog(chat: ChatId): string {
  return `chats/log/${chat}`
}

/** What the mirror knows of a chat since the last time: see chat-mirror.ts. */
export function markKey(chat: ChatId): string {
  return `chats/mark/${chat}`
}

/** Where the drafts of a chat, or of one answer, begin. */
export function draftPrefix(chat: ChatId, message?: MessageId): string {
  return message === undefined ? `${DRAFT_PREFIX}${chat}/` : `${DRAFT_PREFIX}${chat}/${message}/`
}

/** One part of the draft of an answer. */
export function draftKey(chat: ChatId, message: MessageId, part: number): string {
  return `${draftPrefix(chat, message)}${String(part).padStart(4, '0')}`
}

/** The chat a record key names. */
export function chatOfKey(key: string): ChatId {
  return asId<ChatId>(key.slice(CHAT_PREFIX.length))
}

/** What a draft key names; undefined when it is none. */
export function draftOfKey(key: string): { readonly chat: ChatId; readonly message: MessageId } | undefined {
  const [chat, message, part] = key.slice(DRAFT_PREFIX.length).split('/')
  if (chat === undefined || message === undefined || part === undefined) return undefined
  return { chat: asId<ChatId>(chat), message: asId<MessageId>(message) }
}
