import { asId, createEvents, type ChatId, type Logger, type MessageId } from '../../mesh/base/index.ts'
import type { Chats } from '../../mesh/state/index.ts'
import type { AnsweringControl } from './answering.ts'
import type { Answering, AskOptions, LiveChange } from './app-peer.ts'
import { ANSWERING, type Desk, type Hearing } from './remote/index.ts'
import { readAgain } from './shared-chats.ts'

/** What asking from any tab stands on. */
export interface SharedAnsweringPorts {
  readonly chats: Chats
  /** This tab's own, at work while it leads. */
  readonly answering: AnsweringControl
  /** What the leading tab tells, while another leads. */
  readonly hearing: Hearing
  readonly desk: Desk
  readonly log: Logger
  newId(): string
}

/** Asking as this tab's screens have it: done where the peer is, seen here. */
export function shareAnswering(ports: SharedAnsweringPorts): Answering {
  const { answering, hearing, chats, log } = ports
  const changes = createEvents<LiveChange>((error) => {
    log.error('a listener failed', { error })
  })
  for (const source of [answering.changes, hearing.liveChanges]) source.subscribe(changes.emit)
  const { send, regenerate, edit, stop } = answering
  const after = (given: readonly unknown[]): Promise<void> => readAgain(chats, given[0] as ChatId, log)
  const crossing = ports.desk.over('answering', ANSWERING, { send, regenerate, edit, stop }, after)
  const named = (options: AskOptions): AskOptions => ({
    ids: { question: asId<MessageId>(ports.newId()), answer: asId<MessageId>(ports.newId()) },
    ...options,
  })
  return {
    changes,
    send: (chat, text, options = {}) => crossing.send(chat, text, named(options)),
    regenerate: (chat, answer, options = {}) => crossing.regenerate(chat, answer, named(options)),
    edit: (chat, question, text, options = {}) => crossing.edit(chat, question, text, named(options)),
    stop: crossing.stop,
    live: (answer) => answering.live(answer) ?? hearing.live(answer),
    liveIn: (chat) => answering.liveIn(chat) ?? hearing.liveIn(chat),
  }
}
