import {
  asId,
  createEvents,
  MeshError,
  sortableId,
  throwIfAborted,
  type ChatId,
  type Clock,
  type DeviceId,
  type EventSource,
  type Logger,
  type MessageId,
  type Random,
  type ReadRecord,
  type Store,
} from '../base/index.ts'
import type { Route } from '../route/index.ts'
import { createAnswerWriter, type AnswerEnd, type LiveWriter } from './answer-writer.ts'
import { asMade, createChatOperations, createLogOrder, type ChatOperations, type ChatPlace } from './chat-operations.ts'
import { getChatRecord } from './chat-record.ts'
import type { AnswerWriter, ChatChange, Chats, ChatsHealth, UnbegunAnswer } from './chats.ts'
import { entryId, markOf } from './entry-id.ts'
import { exportJson, exportMarkdown } from './export.ts'
import {
  chatKey,
  chatLog,
  chatOfKey,
  CHAT_PREFIX,
  draftKey,
  draftOfKey,
  draftPrefix,
  DRAFT_PREFIX,
  markKey,
} from './keys.ts'
import { PARALLEL_READS, QUESTION_MAX_LENGTH, TITLE_MAX_LENGTH } from './limits.ts'
import { decodeOperation, encodeOperation, OPERATION_VERSION, type Operation } from './operations.ts'
import { foldChat, isPart, pathTo, type ChatTree, type TreeMessage } from './tree.ts'
import { createTurns } from './turns.ts'
import { chatSummary, chatView, messageView, type LiveText } from './views.ts'

/** What the chats stand on. */
export interface ChatsPorts {
  readonly store: Store
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
  /**
   * True while another tab of this profile may be writing answers: then an answer
   * without an end reads as it was last seen, and not as failed. Default: never.
   */
  readonly othersMayWrite?: (() => boolean) | undefined
  /** What the tab that writes an open answer says of it: fresher than what it has stored. Default: nothing. */
  readonly toldLive?: ((message: MessageId) => LiveText | undefined) | undefined
  /** This device, once it has an identity: what it writes bears its mark. Default: not yet. */
  readonly self?: (() => DeviceId | undefined) | undefined
  /** Who an answer of another device is written by. Default: nobody knows. */
  readonly writers?: AnswerWriters | undefined
}

/** What is known of the devices that write answers into chats of this person. */
export interface AnswerWriters {
  /** The device with this mark; `gone`: no device of the mesh has it; undefined: that is not known yet. */
  find(mark: string): { readonly name: string; readonly isLinked: boolean } | 'gone' | undefined
  /** `find` may say something else. */
  readonly changes: EventSource<void>
}

/** A chat in memory: its operations, their fold and how far the log was read. */
interface OpenChat {
  readonly id: ChatId
  /** The id of the operation in its record; empty where that cannot be read. */
  readonly life: string
  record: Uint8Array | undefined
  readonly operations: ChatOperations
  readonly inLogOrder: ReturnType<typeof createLogOrder>
  /** Folded when somebody looks. */
  readonly tree: ChatTree
  sequence: number
  /** Text of open answers as another tab (or an earlier page) stored it. */
  drafts: ReadonlyMap<MessageId, DraftText>
}

interface DraftText {
  readonly text: string
  readonly route: Route | undefined
}

/** An operation without what every entry carries. */
type Happening = Operation extends infer Each
  ? Each extends Operation
    ? Omit<Each, 'v' | 'id' | 'at' | 'order' | 'after'>
    : never
  : never

const INTERRUPTED = {
  code: 'aborted',
  message: 'This answer was interrupted: the page that was writing it was closed.',
} as const
const ELSEWHERE = {
  code: 'peer-gone',
  message: 'Another device was writing this answer, and is not in reach. It is here when that device is back.',
} as const

/**
 * Opens the chats of this device: reads their logs, folds them, and skips what
 * cannot be read. The signal ends its timers.
 * @throws MeshError of the Store when it cannot be read at all.
 */
export async function createChats(
  ports: ChatsPorts,
  options: { readonly signal?: AbortSignal | undefined } = {},
): Promise<Chats> {
  const { store, clock, random } = ports
  const log = ports.log.child('chats')
  const { signal } = options
  const inTurn = createTurns()
  const onListenerError = (error: unknown): void => {
    log.error('a listener failed', { error })
  }
  const changes = createEvents<ChatChange>(onListenerError)
  const problems = createEvents<MeshError>(onListenerError)
  const open = new Map<ChatId, OpenChat>()
  const writers = new Map<MessageId, LiveWriter>()
  const health = { corruptEntries: 0, newerEntries: 0 }
  /** Places already counted: records are read again at each refresh. */
  const counted = new Set<string>()

  signal?.addEventListener('abort', () => {
    for (const writer of writers.values()) writer.abandon()
  })

  // ---- reading ----

  const read = (bytes: Uint8Array | undefined, where: string): Operation | undefined => {
    const decoded = decodeOperation(bytes)
    if (decoded.kind === 'operation') return decoded.operation
    if (counted.has(where)) return undefined
    counted.add(where)
    if (decoded.kind === 'newer') {
      health.newerEntries += 1
      log.info('an entry of a newer version was kept and skipped', { where })
      return undefined
    }
    health.corruptEntries += 1
    log.warn('an entry could not be read and was skipped', { where, reason: decoded.reason })
    const sentence = 'A stored message could not be read and was skipped. Everything else is here.'
    problems.emit(new MeshError('storage-corrupt', sentence, { detail: { where } }))
    return undefined
  }

  const openChat = (chat: ChatId, record: Uint8Array | undefined): OpenChat | undefined => {
    const operation = read(record, chatKey(chat))
    if (operation?.op === 'deleted') return undefined
    const life = operation?.id ?? ''
    const known = open.get(chat)
    // made anew by another device: its log may have begun anew too
    if (known?.life === life) {
      // its maker signed several under one id, and another one counts now
      if (!isSameRecord(known.record, record)) take(known, operation)
      known.record = record
      return known
    }
    const added = emptyChat(chat, life, record)
    take(added, operation)
    open.set(chat, added)
    return added
  }

  const emptyChat = (id: ChatId, life: string, record: Uint8Array | undefined): OpenChat => {
    const operations = createChatOperations()
    let folded: { readonly version: number; readonly tree: ChatTree } | undefined
    return {
      id,
      life,
      record,
      operations,
      inLogOrder: createLogOrder(),
      get tree() {
        if (folded?.version !== operations.version) {
          const all = operations.inOrder()
          folded = { version: operations.version, tree: foldChat(id, all[0]?.operation.at ?? 0, all) }
        }
        return folded.tree
      },
      sequence: 0,
      drafts: new Map(),
    }
  }

  const take = (chat: OpenChat, operation: Operation | undefined): void => {
    if (operation?.op === 'late') {
      chat.operations.setLate(operation)
      return
    }
    const made = operation && asMade(operation)
    if (made !== undefined) chat.operations.add(made)
  }

  /** Folds what the log has beyond what is known. Says whether there was anything. */
  const catchUp = async (chat: OpenChat): Promise<boolean> => {
    const name = chatLog(chat.id)
    const entries = await store.readLog(name, chat.sequence, { signal })
    for (const entry of entries) {
      if (entry.sequence <= chat.sequence) continue
      chat.sequence = entry.sequence
      const operation = read(entry.bytes, `${name} ${String(entry.sequence)}`)
      take(chat, operation?.op === 'late' ? operation : operation && chat.inLogOrder(operation))
    }
    if (entries.some(({ bytes }) => bytes === undefined)) await compareAgain(chat.id)
    return entries.length > 0
  }

  /** Where the chat is shared, its document may have what is damaged in its log. */
  const compareAgain = async (chat: ChatId): Promise<void> => {
    try {
      await store.delete(markKey(chat))
    } catch (error) {
      log.info('a chat with something damaged is compared with its document later', { chat, error })
    }
  }

  const draftsFrom = (records: readonly ReadRecord[]): Map<ChatId, Map<MessageId, DraftText>> => {
    const byChat = new Map<ChatId, Map<MessageId, DraftText>>()
    for (const { key, value } of records) {
      const place = draftOfKey(key)
      const operation = place === undefined ? undefined : read(value, key)
      if (place === undefined || operation?.op !== 'draft') continue
      const drafts = byChat.get(place.chat) ?? new Map<MessageId, DraftText>()
      byChat.set(place.chat, drafts)
      const before = drafts.get(place.message)
      drafts.set(place.message, {
        text: (before?.text ?? '') + operation.text,
        route: operation.route ?? before?.route,
      })
    }
    return byChat
  }

  const refreshOne = async (id: ChatId): Promise<void> => {
    const record = await getChatRecord({ store, log }, id, { signal })
    const before = open.get(id)?.operations.version
    const chat = record === undefined ? undefined : openChat(id, record)
    const deleted = record === undefined || isTombstone(record)
    if (chat === undefined || deleted) {
      if (forget(id)) changes.emit({ chat: null, stored: false })
      return
    }
    const grew = (await catchUp(chat)) || chat.operations.version !== before
    const drafts = draftsFrom(await store.list(draftPrefix(id), { signal })).get(id) ?? new Map<MessageId, DraftText>()
    const wrote = !sameDrafts(chat.drafts, drafts)
    chat.drafts = drafts
    if (grew || wrote) changes.emit({ chat: id, stored: false })
    if (grew) changes.emit({ chat: null, stored: false })
  }

  const refreshAll = async (): Promise<void> => {
    const records = await store.list(CHAT_PREFIX, { signal })
    const alive = new Set<ChatId>()
    for (const { key, value } of records) {
      const id = chatOfKey(key)
      if (isTombstone(value) || openChat(id, value) === undefined) continue
      alive.add(id)
    }
    for (const id of [...open.keys()]) if (!alive.has(id)) forget(id)
    const drafts = draftsFrom(await store.list(DRAFT_PREFIX, { signal }))
    const chats = [...open.values()]
    for (let start = 0; start < chats.length; start += PARALLEL_READS) {
      await Promise.all(chats.slice(start, start + PARALLEL_READS).map(catchUp))
    }
    for (const chat of chats) {
      chat.drafts = drafts.get(chat.id) ?? new Map()
      changes.emit({ chat: chat.id, stored: false })
    }
    changes.emit({ chat: null, stored: false })
  }

  const forget = (id: ChatId): boolean => {
    const chat = open.get(id)
    if (chat === undefined) return false
    open.delete(id)
    for (const message of chat.tree.messages.keys()) {
      writers.get(message)?.abandon()
      writers.delete(message)
    }
    return true
  }

  // ---- writing ----

  const stamp = (happening: Happening, chat?: OpenChat): Operation => {
    const at = clock.now()
    const { order, after } = placeOf(happening, at, chat)
    const operation: Operation = { v: OPERATION_VERSION, id: newId(), at, ...happening }
    return { ...operation, ...(order !== at && { order }), ...(after.length > 0 && { after }) }
  }

  const placeOf = ({ op }: Happening, nowMs: number, chat: OpenChat | undefined): ChatPlace => {
    if (chat === undefined) return { order: nowMs, after: [] }
    return op === 'deleted' ? chat.operations.nextLife(nowMs, chat.life) : chat.operations.next(nowMs)
  }

  const newId = (): string => {
    const self = ports.self?.()
    return self === undefined ? sortableId(clock.now(), random) : entryId(clock.now(), random, self)
  }

  /** Appends and folds, in the order of the log also when another tab appended in between. */
  const commit = async (chat: OpenChat, happening: Happening, cancel: AbortSignal | undefined): Promise<void> => {
    const operation = stamp(happening, chat)
    const sequence = await store.append(chatLog(chat.id), [encodeOperation(operation)], { signal: cancel })
    if (sequence === chat.sequence + 1) {
      chat.sequence = sequence
      take(chat, chat.inLogOrder(operation))
    } else {
      await afterOthers(chat, sequence)
    }
    changes.emit({ chat: chat.id, stored: true })
    changes.emit({ chat: null, stored: true })
  }

  const afterOthers = async (chat: OpenChat, sequence: number): Promise<void> => {
    const { id } = chat
    // a log that begins anew was dropped: another tab or device deleted the chat
    if (sequence <= chat.sequence) {
      await store.dropLog(chatLog(id))
      forget(id)
      changes.emit({ chat: null, stored: false })
      throw noSuchChat()
    }
    await catchUp(chat)
  }

  const need = (id: ChatId): OpenChat => {
    const chat = open.get(id)
    if (chat === undefined) throw noSuchChat()
    return chat
  }

  const needMessage = (chat: OpenChat, id: MessageId): void => {
    if (!chat.tree.messages.has(id)) throw new MeshError('usage', 'This message is not in the chat.')
  }

  /** One mutation of a known chat, after those before it. */
  const mutate = <Value>(
    id: ChatId,
    cancel: AbortSignal | undefined,
    work: (chat: OpenChat) => Promise<Value>,
  ): Promise<Value> =>
    inTurn(async () => {
      throwIfAborted(cancel)
      throwIfAborted(signal)
      return work(need(id))
    })

  const deleteDrafts = async (prefix: string): Promise<void> => {
    try {
      for (const { key } of await store.list(prefix)) await store.delete(key)
    } catch (error) {
      log.warn('text of a finished answer could not be cleared away; it will be tried again', { error })
    }
  }

  const commitEnd = (
    id: ChatId,
    message: MessageId,
    end: AnswerEnd,
    text: string,
    route: Route | undefined,
  ): Promise<void> =>
    inTurn(async () => {
      const chat = open.get(id)
      if (chat === undefined) return
      const figures = end.state === 'failed' ? undefined : end.figures
      const error = end.state === 'failed' ? end.error : undefined
      await commit(chat, { op: 'end', chat: id, message, state: end.state, text, route, figures, error }, undefined)
      await deleteDrafts(draftPrefix(id, message))
    })

  const createWriter = (chat: ChatId, message: MessageId): AnswerWriter => {
    const writer = createAnswerWriter(message, {
      clock,
      log,
      async putDraft(part, text, route) {
        if (!open.has(chat)) return
        const draft = stamp({ op: 'draft', chat, message, part, text, route })
        await store.put(draftKey(chat, message, part), encodeOperation(draft))
      },
      commitEnd: (end, text, route) => commitEnd(chat, message, end, text, route),
      changed(stored) {
        changes.emit({ chat, stored })
      },
      problem(error) {
        log.warn('text of an answer is not stored yet', { message, error: error.code })
        problems.emit(error)
      },
      released() {
        writers.delete(message)
        changes.emit({ chat, stored: false })
        changes.emit({ chat: null, stored: false })
      },
    })
    writers.set(message, writer)
    return {
      ...writer,
      abandon() {
        writer.abandon()
        if (writers.get(message) !== writer) return
        writers.delete(message)
        changes.emit({ chat, stored: false })
      },
    }
  }

  /** Goes on with an open answer that nobody writes. */
  const resumeWriter = (chat: OpenChat, message: MessageId): AnswerWriter => {
    const known = chat.tree.messages.get(message)
    if (known?.state !== 'open' || writers.has(message) || !isOwn(known))
      throw new MeshError('conflict', 'This answer is written already.')
    return createWriter(chat.id, message)
  }

  const liveIn =
    (chat: OpenChat) =>
    (message: TreeMessage): LiveText => {
      const own = writers.get(message.id)
      if (own !== undefined) return own.live()
      const told = ports.toldLive?.(message.id)
      if (told !== undefined) return told
      if (!isOwn(message)) return liveElsewhere(message)
      const draft = chat.drafts.get(message.id)
      const text = draft?.text ?? ''
      const route = draft?.route
      if (ports.othersMayWrite?.() === true) return { text, state: text === '' ? 'waiting' : 'streaming', route }
      return { text, state: 'failed', route, error: INTERRUPTED }
    }

  /** Answers of other devices are theirs to end. */
  const isOwn = ({ writer }: TreeMessage): boolean => {
    const self = ports.self?.()
    return writer === undefined || (self !== undefined && writer === markOf(self))
  }

  /** An answer of another device: its text comes with its end. It is not called failed while its writer may be at it. */
  const liveElsewhere = ({ writer = '' }: TreeMessage): LiveText => {
    const found = ports.writers?.find(writer)
    const none = { text: '', route: undefined }
    if (found === undefined) return { ...none, state: 'waiting', elsewhere: '' }
    if (found === 'gone') return { ...none, state: 'failed', error: INTERRUPTED }
    const elsewhere = found.name
    return found.isLinked
      ? { ...none, state: 'waiting', elsewhere }
      : { ...none, state: 'failed', elsewhere, error: ELSEWHERE }
  }

  const endWriters = ports.writers?.changes.subscribe(() => {
    for (const chat of open.values()) {
      const messages = [...chat.tree.messages.values()]
      if (!messages.some((message) => message.state === 'open' && !isOwn(message))) continue
      changes.emit({ chat: chat.id, stored: false })
    }
  })
  signal?.addEventListener('abort', () => endWriters?.())

  /** Open answers of this device that nobody here writes, with what is stored of their text. */
  const abandoned = (): { chat: OpenChat; message: TreeMessage; draft: DraftText }[] =>
    [...open.values()].flatMap((chat) =>
      [...chat.tree.messages.values()]
        .filter((message) => message.state === 'open' && !writers.has(message.id) && isOwn(message))
        .map((message) => ({ chat, message, draft: chat.drafts.get(message.id) ?? { text: '', route: undefined } })),
    )

  /** Finishes deletions that a closed page left half done, and clears drafts of ended answers. */
  const sweep = async (): Promise<void> => {
    for (const { key, value } of await store.list(CHAT_PREFIX, { signal })) {
      // the tombstone stays: a device that comes back may still have the chat
      if (!isTombstone(value)) continue
      const name = chatLog(chatOfKey(key))
      if ((await store.readLog(name, 0, { signal })).length > 0) await store.dropLog(name, { signal })
    }
    for (const { key } of await store.list(DRAFT_PREFIX, { signal })) {
      const place = draftOfKey(key)
      const message = place && open.get(place.chat)?.tree.messages.get(place.message)
      if (message?.state !== 'open') await store.delete(key, { signal })
    }
  }

  await inTurn(refreshAll)

  return {
    changes,
    problems,
    health: (): ChatsHealth => ({ ...health }),

    list: () =>
      [...open.values()]
        .map((chat) => chatSummary(chat.tree, liveIn(chat)))
        .sort((a, b) => b.updatedAt - a.updatedAt || (a.id < b.id ? 1 : -1)),

    get(id) {
      const chat = open.get(id)
      return chat === undefined ? undefined : chatView(chat.tree, liveIn(chat))
    },

    branch(id, message) {
      const chat = open.get(id)
      const found = chat?.tree.messages.get(message)
      if (chat === undefined || found === undefined || !isPart(found)) return undefined
      return pathTo(chat.tree, message).map((each) => messageView(chat.tree, each, liveIn(chat)))
    },

    create: ({ signal: cancel, id } = {}) =>
      inTurn(async () => {
        throwIfAborted(signal)
        if (id !== undefined && open.has(id)) return id
        const chat = id ?? asId<ChatId>(newId())
        const record = encodeOperation(stamp({ op: 'chat', chat }))
        await store.put(chatKey(chat), record, { signal: cancel })
        openChat(chat, record)
        changes.emit({ chat, stored: true })
        changes.emit({ chat: null, stored: true })
        return chat
      }),

    async rename(id, title, { signal: cancel } = {}) {
      const given = title.trim()
      if (given === '') throw new MeshError('usage', 'A title needs at least one character.')
      if (given.length > TITLE_MAX_LENGTH) {
        throw new MeshError('usage', `A title has at most ${String(TITLE_MAX_LENGTH)} characters.`)
      }
      await mutate(id, cancel, (chat) => commit(chat, { op: 'title', chat: id, title: given }, cancel))
    },

    delete: (id, { signal: cancel } = {}) =>
      mutate(id, cancel, async (known) => {
        // the tombstone is what counts: with it, an erasure cut short is finished by `sweep`
        await store.put(chatKey(id), encodeOperation(stamp({ op: 'deleted', chat: id }, known)), { signal: cancel })
        forget(id)
        try {
          await store.dropLog(chatLog(id))
          await deleteDrafts(draftPrefix(id))
        } catch (error) {
          log.warn('a deleted chat could not be erased yet; it will be tried again', { chat: id, error })
        }
        changes.emit({ chat: id, stored: true })
        changes.emit({ chat: null, stored: true })
      }),

    chooseModel: (id, model, { signal: cancel } = {}) =>
      mutate(id, cancel, (chat) => commit(chat, { op: 'model', chat: id, model: model ?? null }, cancel)),

    async addPersonMessage(id, parent, text, { signal: cancel, id: named } = {}) {
      if (text.trim() === '') throw new MeshError('usage', 'A message needs at least one character.')
      if (text.length > QUESTION_MAX_LENGTH) {
        const detail = { maxLength: QUESTION_MAX_LENGTH, gotLength: text.length }
        throw new MeshError('too-large', 'This message is too long. Split it, or leave a part out.', { detail })
      }
      return mutate(id, cancel, async (chat) => {
        if (named !== undefined && chat.tree.messages.has(named)) return named
        if (parent !== null) needMessage(chat, parent)
        const message = named ?? asId<MessageId>(newId())
        await commit(chat, { op: 'say', chat: id, message, parent, text }, cancel)
        return message
      })
    },

    addAnswer: (id, parent, { signal: cancel, id: named } = {}) =>
      mutate(id, cancel, async (chat) => {
        needMessage(chat, parent)
        if (chat.tree.messages.get(parent)?.author !== 'person') {
          throw new MeshError('usage', 'An answer follows a message of a person.')
        }
        if (named !== undefined && chat.tree.messages.has(named)) return resumeWriter(chat, named)
        const message = named ?? asId<MessageId>(newId())
        const writer = createWriter(id, message)
        try {
          await commit(chat, { op: 'answer', chat: id, message, parent }, cancel)
        } catch (error) {
          writers.delete(message)
          throw error
        }
        return writer
      }),

    showBranch: (id, message, { signal: cancel } = {}) =>
      mutate(id, cancel, async (chat) => {
        needMessage(chat, message)
        await commit(chat, { op: 'show', chat: id, message }, cancel)
      }),

    export(id, format) {
      const chat = need(id)
      return format === 'markdown' ? exportMarkdown(chat.tree, liveIn(chat)) : exportJson(chat.tree, liveIn(chat))
    },

    refresh: ({ signal: cancel, chat } = {}) =>
      inTurn(async () => {
        throwIfAborted(cancel)
        await (chat === undefined ? refreshAll() : refreshOne(chat))
      }),

    closeAbandoned: ({ signal: cancel, spareUnbegun = false, lastTold } = {}) =>
      inTurn(async () => {
        await refreshAll()
        const unbegun: UnbegunAnswer[] = []
        for (const { chat, message, draft } of abandoned()) {
          const told = lastTold?.(message.id) ?? ''
          const text = told.length > draft.text.length ? told : draft.text
          if (spareUnbegun && message.parent !== null && text === '') {
            unbegun.push({ chat: chat.id, question: message.parent, message: message.id })
            continue
          }
          const end = { op: 'end', state: 'failed', chat: chat.id, message: message.id } as const
          await commit(chat, { ...end, ...draft, text, figures: undefined, error: INTERRUPTED }, cancel)
        }
        await sweep()
        return unbegun
      }),
  }
}

function isSameRecord(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  return a === b || (a?.length === b?.length && a?.every((byte, index) => byte === b?.[index]) === true)
}

function isTombstone(record: Uint8Array | undefined): boolean {
  const decoded = decodeOperation(record)
  return decoded.kind === 'operation' && decoded.operation.op === 'deleted'
}

function sameDrafts(a: ReadonlyMap<MessageId, DraftText>, b: ReadonlyMap<MessageId, DraftText>): boolean {
  if (a.size !== b.size) return false
  for (const [id, draft] of b) {
    const before = a.get(id)
    if (
      before === undefined ||
      before.text !== draft.text ||
      (before.route === undefined) !== (draft.route === undefined)
    ) {
      return false
    }
  }
  return true
}

function noSuchChat(): MeshError {
  return new MeshError('usage', 'This chat is not here any more.')
}
