import * as z from 'zod/mini'
import { asId, isAbort, type ChatId, type Logger } from '../../mesh/base/index.ts'
import type { Chats } from '../../mesh/state/index.ts'
import type { ChannelPort } from './leadership.ts'

const schema = z.object({ type: z.literal('chat'), chat: z.string().check(z.maxLength(64)) })

/** Keeps the copies of the chats in all tabs in step with what is stored. */
export interface ChatNews {
  /** Reads everything again: this tab slept, or wrote until now. */
  refreshAll(): void
  /** Another device did something in this chat, and it is in the store now. */
  arrived(chat: ChatId): void
  /** Chats were written past this copy of them: it reads them, and the other tabs do. */
  changedBelow(): Promise<void>
  close(): void
}

/** Tells the other tabs which chat was stored, and reads what they tell. */
export function createChatNews(ports: {
  readonly channel: ChannelPort
  readonly chats: Chats
  readonly log: Logger
  readonly signal: AbortSignal
}): ChatNews {
  const { channel, chats, log, signal } = ports
  const news = new Set<ChatId>()

  /** One word for all that was stored in one turn. */
  const tell = async (): Promise<void> => {
    await Promise.resolve()
    for (const chat of news) channel.post({ type: 'chat', chat })
    news.clear()
  }
  const add = (chat: ChatId): void => {
    if (news.size === 0) void tell()
    news.add(chat)
  }
  const endChats = chats.changes.subscribe(({ chat, stored }) => {
    if (stored && chat !== null) add(chat)
  })

  const refresh = (chat?: ChatId): void => {
    chats.refresh({ chat, signal }).catch((error: unknown) => {
      if (!isAbort(error)) log.warn('what another tab wrote could not be read', { error })
    })
  }
  const endChannel = channel.subscribe((message) => {
    const parsed = z.safeParse(schema, message)
    if (parsed.success) refresh(asId<ChatId>(parsed.data.chat))
  })

  return {
    refreshAll() {
      refresh()
    },
    arrived(chat) {
      refresh(chat)
      add(chat)
    },
    async changedBelow() {
      await chats.refresh({ signal })
      for (const { id } of chats.list()) channel.post({ type: 'chat', chat: id })
    },
    close() {
      endChats()
      endChannel()
    },
  }
}
