import * as z from 'zod/mini'
import {
  asMeshError,
  createEvents,
  getWhole,
  isAbort,
  MeshError,
  type ChatId,
  type Clock,
  type DeviceId,
  type EventSource,
  type Logger,
  type Store,
} from '../base/index.ts'
import { decode, encode, text, whole } from '../wire/index.ts'
import { getChatRecord } from './chat-record.ts'
import { reconcileChat, startReading, type ChatDocument, type ChatLogState } from './chat-reconcile.ts'
import { chatLog, chatOfKey, CHAT_PREFIX, markKey } from './keys.ts'
import { MIRRORED_OPEN_MAX, RETRY_FIRST_MS, RETRY_MAX_MS } from './limits.ts'
import { decodeOperation, OPERATION_VERSION } from './operations.ts'

/** Port: the shared documents of this person's chats, one each. */
export interface ChatDocuments {
  readonly self: DeviceId
  /** False: this device may not share chats now, or has nobody's. */
  mayShare(): boolean
  /** Chats that have a document here. */
  list(): readonly ChatId[]
  /** Another text whenever the document may hold, or open, something else. */
  version(chat: ChatId): Promise<string>
  /** @throws MeshError `too-large`, `unauthorized`, and of the store */
  open(chat: ChatId, options: Cancellable): Promise<ChatDocument>
  /** The document of this chat took something in; null: rights, keys or the mesh are others now. */
  readonly changes: EventSource<ChatId | null>
}

interface Cancellable {
  readonly signal?: AbortSignal | undefined
}

/** What the mirror stands on. */
export interface ChatMirrorPorts {
  readonly store: Store
  readonly clock: Clock
  readonly log: Logger
  readonly documents: ChatDocuments
}

/**
 * Keeps the log of each chat here and the chat's shared document the same, in both
 * directions. What is in one and not in the other is told by the ids of operations, so
 * that a crash at any point loses and doubles nothing.
 */
export interface ChatMirror {
  /** Something was written into this chat, made or deleted here. */
  wrote(chat: ChatId): void
  /** Something of other devices came into the store: whoever has the chat open reads it again. */
  readonly changes: EventSource<ChatId>
  /** A chat that is not whole on all devices, and why. */
  readonly problems: EventSource<MeshError>
  start(): void
  /** Resolves when nothing is left to do now. */
  idle(): Promise<void>
  stop(): Promise<void>
}

/** A chat whose document is open. */
interface Session {
  readonly document: ChatDocument
  readonly held: ChatLogState
  /** The document when both were last found the same, and where the log was then. */
  same: z.output<typeof mark> | undefined
}

/** Both were the same then: what is still like that at the next start need not be read. */
const mark = z.object({ version: text(200), life: text(64), sequence: whole() })
const MARK_MAX_BYTES = 1_024
/** Changes with what is noted beside operations: a log of before is read once more. */
const NOTES_VERSION = 1
/** Passes until both are the same; each further one has something that came meanwhile. */
const PASSES_MAX = 20

/** A mirror that does nothing before it is started. */
export function createChatMirror(ports: ChatMirrorPorts): ChatMirror {
  const { store, clock, documents } = ports
  const log = ports.log.child('chat-mirror')
  const onListenerError = (error: unknown): void => {
    log.error('a listener failed', { error })
  }
  const changes = createEvents<ChatId>(onListenerError)
  const problems = createEvents<MeshError>(onListenerError)
  const life = new AbortController()
  const { signal } = life
  /** The most recently used last. */
  const sessions = new Map<ChatId, Session>()
  /** What one waits for goes before what a start finds. */
  const urgent = new Set<ChatId>()
  const found = new Set<ChatId>()
  const failed = new Set<ChatId>()
  let rescan = false
  let scanFailed = false
  let working: Promise<void> | undefined
  let cancelRetry: (() => void) | undefined
  let retryMs = RETRY_FIRST_MS
  let ends: readonly (() => void)[] = []

  const readMark = async (chat: ChatId): Promise<Session['same']> => {
    const kept = await getWhole(store, markKey(chat), log, { signal })
    if (kept === undefined) return undefined
    try {
      return decode(kept, mark, { maxBytes: MARK_MAX_BYTES, what: 'The mark of a chat' })
    } catch (error) {
      // it only saves work
      log.info('the mark of a chat could not be read', { chat, error })
      return undefined
    }
  }

  const versionOf = async (chat: ChatId): Promise<string> =>
    `${String(OPERATION_VERSION)}.${String(NOTES_VERSION)} ${await documents.version(chat)}`

  /** True when nothing happened to either since both were the same. */
  const isUntouched = async (chat: ChatId): Promise<boolean> => {
    const known = await readMark(chat)
    if (known === undefined || known.version !== (await versionOf(chat))) return false
    if (known.life !== lifeIdOf(await getChatRecord({ store, log }, chat, { signal }))) return false
    const [last, ...more] = await store.readLog(chatLog(chat), Math.max(0, known.sequence - 1), { signal })
    // a log that lost its end gives the same numbers again
    return (
      more.length === 0 && (last?.sequence ?? 0) === known.sequence && (last === undefined || last.bytes !== undefined)
    )
  }

  const close = async (chat: ChatId): Promise<void> => {
    const session = sessions.get(chat)
    if (session === undefined) return
    sessions.delete(chat)
    session.document.close()
    if (session.same !== undefined) await store.put(markKey(chat), encode(session.same))
  }

  const sessionOf = async (chat: ChatId): Promise<Session> => {
    const known = sessions.get(chat)
    if (known !== undefined) {
      sessions.delete(chat)
      sessions.set(chat, known)
      return known
    }
    const document = await documents.open(chat, { signal })
    const held = startReading(chat)
    const session: Session = { document, held, same: undefined }
    sessions.set(chat, session)
    for (const other of sessions.keys()) {
      if (sessions.size <= MIRRORED_OPEN_MAX) break
      await close(other)
    }
    return session
  }

  const bringTogether = async (chat: ChatId): Promise<void> => {
    if (!sessions.has(chat) && (await isUntouched(chat))) return
    const session = await sessionOf(chat)
    for (let pass = 1; pass <= PASSES_MAX; pass++) {
      // before it is read: what comes meanwhile is found at the next start
      const version = await versionOf(chat)
      const { toDocument, toStore, refused } = await reconcileChat({ ...ports, log, self: documents.self }, session, {
        signal,
      })
      if (toStore) changes.emit(chat)
      if (refused !== undefined) problems.emit(refused)
      if (toDocument || toStore) continue
      session.same = { version, life: session.held.life, sequence: session.held.sequence }
      retryMs = RETRY_FIRST_MS
      return
    }
    // others write into it without a pause
    failed.add(chat)
    retryLater()
  }

  const work = async (): Promise<void> => {
    for (;;) {
      if (signal.aborted) return
      if (rescan) await tryToScan()
      const [chat] = urgent.size > 0 ? urgent : found
      if (chat === undefined) return
      urgent.delete(chat)
      found.delete(chat)
      if (!documents.mayShare()) continue
      try {
        await bringTogether(chat)
      } catch (error) {
        await giveUpForNow(chat, error)
      }
    }
  }

  const retryLater = (): void => {
    cancelRetry ??= clock.schedule(retryMs, () => {
      cancelRetry = undefined
      for (const one of failed) found.add(one)
      failed.clear()
      rescan ||= scanFailed
      go()
    })
    retryMs = Math.min(retryMs * 2, RETRY_MAX_MS)
  }

  const giveUpForNow = async (chat: ChatId, error: unknown): Promise<void> => {
    const session = sessions.get(chat)
    if (session !== undefined) session.same = undefined
    await close(chat)
    if (isAbort(error) || signal.aborted) return
    const failure = asMeshError(error, 'storage-failed')
    log.warn('a chat is not the same on all devices yet', { chat, code: failure.code })
    // too large stays too large, and who may not write is told when that changes
    if (failure.code === 'too-large') problems.emit(failure)
    if (failure.code === 'too-large' || failure.code === 'unauthorized') return
    failed.add(chat)
    retryLater()
  }

  const tryToScan = async (): Promise<void> => {
    rescan = false
    scanFailed = false
    try {
      await scan()
    } catch (error) {
      if (isAbort(error) || signal.aborted) return
      log.warn('chats could not be looked through; it is tried again', { error: asMeshError(error).message })
      scanFailed = true
      retryLater()
    }
  }

  /** Everything that is here or in a document, newest first: ids sort by time. */
  const scan = async (): Promise<void> => {
    for (const chat of [...sessions.keys()]) await close(chat)
    if (!documents.mayShare()) return
    const here = (await store.list(CHAT_PREFIX, { signal })).map(({ key }) => chatOfKey(key))
    const all = new Set([...here, ...documents.list()])
    for (const chat of [...all].sort().reverse()) found.add(chat)
  }

  const go = (): void => {
    if (working !== undefined || signal.aborted) return
    working = work()
      .catch((error: unknown) => {
        if (!isAbort(error)) log.error('the chats are not kept in step any more', { error })
      })
      .finally(() => {
        working = undefined
        // something came when it was just done
        if (rescan || urgent.size + found.size > 0) go()
      })
  }

  const touch = (chat: ChatId): void => {
    urgent.add(chat)
    go()
  }

  return {
    changes,
    problems,
    wrote: touch,
    start() {
      ends = [
        documents.changes.subscribe((chat) => {
          if (chat !== null) {
            touch(chat)
            return
          }
          rescan = true
          go()
        }),
      ]
      rescan = true
      go()
    },
    async idle() {
      while (working !== undefined) await working
    },
    async stop() {
      for (const end of ends) end()
      cancelRetry?.()
      life.abort(new MeshError('aborted', 'Stopped.'))
      await working
      for (const chat of [...sessions.keys()]) {
        try {
          await close(chat)
        } catch (error) {
          log.info('the mark of a chat was not kept', { chat, code: asMeshError(error).code })
        }
      }
    },
  }
}

/** The id of the operation that says whether a chat is there. */
function lifeIdOf(record: Uint8Array | undefined): string {
  const decoded = record === undefined ? undefined : decodeOperation(record)
  return decoded?.kind === 'operation' ? decoded.operation.id : ''
}
