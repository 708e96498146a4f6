import {
  asId,
  asMeshError,
  isAbort,
  type ChatId,
  type EventSource,
  type Logger,
  type MeshError,
} from '../../mesh/base/index.ts'
import type { Chats } from '../../mesh/state/index.ts'
import type { ChatWriting, SharedChats } from './app-peer.ts'
import { CHATS, type Desk } from './remote/index.ts'

/** What sharing the chats stands on. */
export interface SharedChatsPorts {
  /** This tab's own copy. */
  readonly chats: Chats
  readonly desk: Desk
  readonly log: Logger
  /** Of chats on their way to the other devices of the person. */
  readonly problems: EventSource<MeshError>
  newId(): string
}

/** The chats as this tab's screens have them: read here, written where the peer is. */
export function shareChats(ports: SharedChatsPorts): SharedChats {
  const { chats, desk, newId } = ports
  const after = async (given: readonly unknown[], result: unknown): Promise<void> => {
    const chat = typeof given[0] === 'string' ? given[0] : result
    if (typeof chat === 'string') await readAgain(chats, asId<ChatId>(chat), ports.log)
  }
  const writing = desk.over('chats', CHATS, writingOf(chats), after)
  return {
    changes: chats.changes,
    problems: {
      subscribe(listener) {
        const ends = [chats.problems.subscribe(listener), ports.problems.subscribe(listener)]
        return () => {
          for (const end of ends) end()
        }
      },
    },
    health: chats.health,
    list: chats.list,
    get: chats.get,
    export: chats.export,
    refresh: chats.refresh,
    ...writing,
    create: (options = {}) => writing.create({ id: asId<ChatId>(newId()), ...options }),
  }
}

/** What is written of the chats, each so that doing it twice is doing it once. */
export function writingOf(chats: Chats): ChatWriting {
  return {
    create: chats.create,
    rename: chats.rename,
    // gone is what was wanted
    delete: (chat, options) => (chats.get(chat) === undefined ? Promise.resolve() : chats.delete(chat, options)),
    chooseModel: chats.chooseModel,
    showBranch: chats.showBranch,
  }
}

/** Shows here what another tab just stored. What cannot be read now is read with the next change. */
export async function readAgain(chats: Chats, chat: ChatId, log: Logger): Promise<void> {
  try {
    await chats.refresh({ chat })
  } catch (error) {
    if (!isAbort(error)) log.warn('what another tab wrote could not be read', { code: asMeshError(error).code })
  }
}
