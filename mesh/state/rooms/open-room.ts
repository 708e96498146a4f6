import {
  asId,
  asMeshError,
  MeshError,
  ROOM_ATTACHMENTS_MAX,
  ROOM_HEADS_MAX,
  ROOM_MENTIONS_MAX,
  ROOM_NAME_MAX_LENGTH,
  ROOM_TEXT_MAX_LENGTH,
  throwIfAborted,
  type Clock,
  type DeviceId,
  type Logger,
  type MessageId,
  type PersonId,
  type Random,
} from '../../base/index.ts'
import type { AskEvent, AskRequest } from '../../route/index.ts'
import { latestOrder } from '../levels.ts'
import { createTurns } from '../turns.ts'
import type { Arrivals } from './arrivals.ts'
import { hasLateWords, isErasingSure, isSamePerson, textToErase, type PersonOf } from './contents.ts'
import type { DocumentChange, RoomDocument } from './document.ts'
import { entryId, entryIdUnder } from '../entry-id.ts'
import { createRoomFold, type MessageNode } from './fold.ts'
import { ANSWERING_MAX, CONTEXT_MAX_LENGTH, MARK_EVERY_MS, MARKS_KEPT, RECEIPTS_EVERY_MS } from './limits.ts'
import { cleanRoomName, encodeRoomOperation, type Mention, type RoomHappening, type RoomRule } from './operations.ts'
import { comparePlaces, nextOrder } from './order.ts'
import { createPresence } from './presence.ts'
import { roomPrompt, type ContextLine } from './prompt.ts'
import { runRoomAnswer, type RunningAnswer } from './room-answer.ts'
import { createRoomViews } from './room-view.ts'
import type { Once, Receipts, RoomAnswer, RoomLine, RoomMessage, RoomRecord, RoomView, SayOptions } from './rooms.ts'
import { coveredBy, readMark, type Mark } from './seen.ts'
import type { SearchText } from './search.ts'

/** What an open room stands on. */
export interface OpenRoomPorts {
  readonly self: DeviceId
  readonly person: PersonId
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
  readonly document: RoomDocument
  readonly arrivals: Arrivals
  readonly personOf: PersonOf
  nameOf(person: PersonId | undefined): string
  record(): RoomRecord
  ask(request: AskRequest, options: { readonly signal: AbortSignal }): AsyncIterable<AskEvent>
  /** The room looks different now. */
  changed(): void
  problem(error: MeshError): void
}

interface Cancellable {
  readonly signal?: AbortSignal | undefined
}

/** One room with its document: everything of `Rooms` but the list. */
export interface OpenRoom {
  view(): RoomView
  say(text: string, options?: SayOptions & Once): Promise<MessageId>
  edit(message: MessageId, text: string, options?: SayOptions): Promise<void>
  delete(message: MessageId, options?: Cancellable): Promise<void>
  ask(message: MessageId, options?: Once): Promise<MessageId>
  stop(answer: MessageId, options?: Cancellable): Promise<void>
  hide(answer: MessageId, hidden: boolean, options?: Cancellable): Promise<void>
  rename(name: string, options?: Cancellable): Promise<void>
  setRule(rule: RoomRule, options?: Cancellable): Promise<void>
  markSeen(messages: readonly MessageId[]): void
  markAllSeen(): void
  attend(attention: 'typing' | 'here' | 'away'): void
  receipts(message: MessageId): Receipts
  texts(): Iterable<Omit<SearchText, 'room'>>
  lines(): RoomLine[]
  /** Whose a device is may have changed. */
  forget(): void
  /** Ends what this device began in an earlier run and could not end: failed, text kept. */
  endAbandoned(): Promise<void>
  /** Answers being written here. */
  readonly running: ReadonlyMap<MessageId, RunningAnswer>
  close(): Promise<void>
}

const ABANDONED = {
  code: 'aborted',
  message: 'This answer was interrupted: the device that was writing it was closed.',
} as const

/** Takes in a document that was opened, and follows it. */
export function createOpenRoom(ports: OpenRoomPorts): OpenRoom {
  const { self, clock, log, arrivals, personOf } = ports
  const replica = ports.document
  const fold = createRoomFold()
  const running = new Map<MessageId, RunningAnswer>()
  const onScreen = new Set<MessageId>()
  const inTurn = createTurns()
  const presence = createPresence(replica.awareness, clock, ports.changed)
  const views = createRoomViews({
    ...ports,
    fold,
    live: (answer) => running.get(answer)?.live(),
    others: () => presence.others(),
  })
  let cancelMark: (() => void) | undefined
  let cancelTick: (() => void) | undefined
  let markedAt = -Infinity
  let closed = false

  // ---- taking in ----

  const takeIn = (ids: Iterable<string>, live: boolean): void => {
    const operations = replica.operations()
    const messages: MessageId[] = []
    for (const id of ids) {
      const stored = operations.get(id)
      if (stored === undefined) continue
      fold.put(id, stored)
      if (fold.node(asId<MessageId>(id)) !== undefined) messages.push(asId<MessageId>(id))
    }
    arrivals.note(messages, live)
  }

  const onChange = (change: DocumentChange): void => {
    for (const id of change.erased) fold.erase(id)
    takeIn(change.added, true)
    if (change.author !== self) heed(change.added)
    ports.changed()
  }

  /**
   * What others ask of this device: to stop, and to take out text its person deleted elsewhere. What a message
   * holds is looked at where this person wrote it, and wrote of it: others cost nothing by it.
   */
  const heed = (ids: Iterable<string>): void => {
    // each message once, however much was said about it
    const nodes = new Set<MessageNode>()
    for (const id of ids) {
      const entry = fold.entry(id)
      const operation = entry?.operation
      if (operation?.op === 'stop' && entry?.timing !== 'late') running.get(operation.answer)?.stop()
      if (entry === undefined || (operation?.op !== 'delete' && operation?.op !== 'text')) continue
      const node = isSamePerson(entry.author, self, personOf) ? fold.node(operation.message) : undefined
      if (node !== undefined && isSamePerson(node.head.author, self, personOf)) nodes.add(node)
    }
    eraseText(nodes)
  }

  const toErase = (node: MessageNode): string[] => {
    const content = views.content(node)
    if (!('textId' in content) || !isErasingSure(node, content.textId, personOf)) return []
    return textToErase(node, self, content.textId)
  }

  const eraseText = (nodes: Iterable<MessageNode>): void => {
    const ids: string[] = []
    for (const node of nodes) ids.push(...toErase(node))
    if (ids.length === 0) return
    erase(ids).catch((error: unknown) => {
      // it is hidden; the next opening of the room tries again
      ports.problem(asMeshError(error, 'storage-failed'))
    })
  }

  // ---- writing ----

  const write = async (happenings: readonly RoomHappening[], signal?: AbortSignal): Promise<string[]> => {
    const operations = happenings.map((happening) => ({
      id: entryId(clock.now(), ports.random, ports.self),
      bytes: encodeRoomOperation(happening),
    }))
    return put(operations, signal)
  }

  const put = async (
    operations: readonly { readonly id: string; readonly bytes: Uint8Array }[],
    signal?: AbortSignal,
  ): Promise<string[]> => {
    await replica.write(operations, { signal })
    const ids = operations.map((operation) => operation.id)
    takeIn(ids, true)
    ports.changed()
    return ids
  }

  const erase = async (ids: readonly string[]): Promise<void> => {
    for (const id of ids) {
      await replica.erase(id)
      fold.erase(id)
    }
    ports.changed()
  }

  const order = (): number => nextOrder(clock.now(), fold.lastOrder(latestOrder(clock.now())))

  /** An operation that replaces what of its kind was seen, also where that claims to come later. */
  const replacing = <Happening extends RoomHappening>(
    happening: Happening & { readonly order: number },
    ahead: (order: number) => readonly string[],
  ): Happening => {
    const after = ahead(happening.order)
    return after.length === 0 ? happening : { ...happening, after }
  }

  const setting = (happening: RoomHappening & { readonly op: 'name' | 'rule' }): RoomHappening =>
    replacing(happening, (at) => fold.settingsAhead(happening.op, at))

  const parents = (): MessageId[] =>
    [...fold.heads()]
      .sort(comparePlaces)
      .slice(-ROOM_HEADS_MAX)
      .map((node) => node.id)

  const idUnder = (key: string | undefined): MessageId =>
    asId<MessageId>(key === undefined ? entryId(clock.now(), ports.random, self) : entryIdUnder(key, self))

  const need = (id: MessageId, kind: 'say' | 'answer'): MessageNode => {
    const node = fold.node(id)
    if (node?.head.operation.op !== kind) throw new MeshError('usage', 'This message is not in the room.')
    return node
  }

  const needOwn = (id: MessageId): MessageNode => {
    const node = need(id, 'say')
    if (!isSamePerson(node.head.author, self, personOf)) {
      throw new MeshError('unauthorized', 'Only who wrote a message may change it.')
    }
    return node
  }

  const mutate = <Value>(signal: AbortSignal | undefined, work: () => Promise<Value>): Promise<Value> =>
    inTurn(async () => {
      throwIfAborted(signal)
      if (closed) throw new MeshError('usage', 'This room is not open.')
      return work()
    })

  const textOf = (message: MessageId, at: number, text: string, options: SayOptions) => ({
    op: 'text' as const,
    message,
    order: at,
    text,
    mentions: options.mentions?.length === 0 ? undefined : options.mentions,
    attachments: options.attachments?.length === 0 ? undefined : options.attachments,
  })

  // ---- answers ----

  const startAnswer = async (question: MessageNode, { key, signal }: Once = {}): Promise<MessageId> => {
    const id = idUnder(key)
    if (fold.node(id) !== undefined) return id
    const begin: RoomHappening = { op: 'answer', order: order(), parents: parents(), question: question.id }
    await put([{ id, bytes: encodeRoomOperation(begin) }], signal)
    const prompt = promptFor(question)
    // what was said here is read by devices the room is open to, and by no other
    const ask = (cancel: AbortSignal): AsyncIterable<AskEvent> =>
      ports.ask({ messages: prompt, among: ports.record().devices, sampling: {} }, { signal: cancel })
    const answer = runRoomAnswer(id, ask, {
      clock,
      log,
      write: (happenings) => write(happenings),
      erase,
      changed: ports.changed,
      problem: ports.problem,
      released() {
        running.delete(id)
        tellAnswering()
        ports.changed()
      },
    })
    running.set(id, answer)
    tellAnswering()
    ports.changed()
    return id
  }

  /** Asks, unless this device has begun an answer to it: the wish was made before. */
  const askOnce = async (question: MessageNode): Promise<void> => {
    const isAsked = fold.messages.some(
      ({ head }) => head.author === self && head.operation.op === 'answer' && head.operation.question === question.id,
    )
    if (!isAsked) await startAnswer(question)
  }

  const tellAnswering = (): void => {
    presence.tell({ answering: [...running.keys()].slice(0, ANSWERING_MAX) })
  }

  const promptFor = (question: MessageNode): ReturnType<typeof roomPrompt> => {
    const lines: ContextLine[] = []
    for (const node of fold.messages) {
      if (node.id === question.id) break
      if (hasLateWords(node)) continue
      const content = views.content(node)
      if (content.text === '' || ('hiddenBy' in content && content.hiddenBy !== undefined)) continue
      lines.push({ name: speakerOf(node), text: content.text })
    }
    return roomPrompt(lines, views.content(question).text, CONTEXT_MAX_LENGTH)
  }

  /**
   * Who said it, for the AI; undefined: itself. An answer that somebody else's device wrote down is
   * quoted as theirs: with software of its own it makes one up, and what a model is told that it
   * said itself outweighs every rule.
   */
  const speakerOf = (node: MessageNode): string | undefined => {
    const { author, operation } = node.head
    if (operation.op !== 'answer') return spokenName(node)
    return isSamePerson(author, self, personOf) ? undefined : `AI, as written down by ${ports.nameOf(personOf(author))}`
  }

  /** Who said it, for the AI: an imported message is no word of a member. */
  const spokenName = ({ head }: MessageNode): string => {
    const name = ports.nameOf(personOf(head.author))
    const { imported } = head.operation
    return imported === undefined ? name : `${imported.author} (imported by ${name})`
  }

  const wantsAnswer = (mentions: readonly Mention[]): boolean =>
    mentions.includes('ai') || fold.setting('rule')?.operation.rule === 'every-message'

  // ---- read marks ----

  const markSoon = (): void => {
    if (cancelMark !== undefined || closed) return
    cancelMark = clock.schedule(Math.max(0, markedAt + MARK_EVERY_MS - clock.monotonic()), () => {
      cancelMark = undefined
      markedAt = clock.monotonic()
      writeMark().catch((error: unknown) => {
        ports.problem(asMeshError(error, 'storage-failed'))
      })
    })
  }

  const writeMark = async (): Promise<void> => {
    // what comes onto the screen while this is written is for the next
    const shown = [...onScreen]
    const mark = closed ? undefined : markOf(shown)
    if (mark !== undefined) {
      const old = [...fold.marksOf(self)].sort()
      await write([{ op: 'read', ...mark.says }])
      // the new mark says all the old ones said, but where there was too much to say
      await erase(mark.isWhole ? old : old.slice(0, -MARKS_KEPT))
    }
    for (const id of shown) onScreen.delete(id)
  }

  /** The mark that tells of these too, if they are news and it can be told of any. */
  const markOf = (shown: readonly MessageId[]): { readonly says: Mark; readonly isWhole: boolean } | undefined => {
    const fresh = shown.flatMap((id) => fold.node(id) ?? []).filter((node) => !views.isSeen(node))
    if (fresh.length === 0) return undefined
    const isSeen = (node: MessageNode): boolean => onScreen.has(node.id) || views.isSeen(node)
    const says = readMark(fold, isSeen, (node) => views.isSeen(node))
    const isTold = coveredBy(fold, says)
    if (!fresh.some(isTold)) return undefined
    return { says, isWhole: fold.messages.every((node) => isTold(node) || !views.isSeen(node)) }
  }

  /** Receipts and the silence of answers change without an event. */
  const tick = (): void => {
    cancelTick = clock.schedule(RECEIPTS_EVERY_MS, () => {
      ports.changed()
      tick()
    })
  }

  takeIn(replica.operations().keys(), false)
  const endDocument = replica.changes.subscribe(onChange)

  return {
    running,
    view: () => views.view(),

    async say(text, options = {}) {
      checkText(text, options)
      const question = await mutate(options.signal, async () => {
        const at = order()
        const id = idUnder(options.key)
        if (fold.node(id) !== undefined) return need(id, 'say')
        await put(
          [
            { id, bytes: encodeRoomOperation({ op: 'say', order: at, parents: parents() }) },
            {
              id: entryId(clock.now(), ports.random, ports.self),
              bytes: encodeRoomOperation(textOf(id, at, text, options)),
            },
          ],
          options.signal,
        )
        return need(id, 'say')
      })
      if (wantsAnswer(options.mentions ?? [])) {
        // the message is said whatever becomes of the question
        mutate(undefined, () => askOnce(question)).catch((error: unknown) => {
          ports.problem(asMeshError(error))
        })
      }
      return question.id
    },

    async edit(message, text, options = {}) {
      checkText(text, options)
      await mutate(options.signal, async () => {
        const node = needOwn(message)
        const content = views.content(node)
        if (!('textId' in content) || content.state === 'deleted') {
          throw new MeshError('usage', 'This message was deleted.')
        }
        if (node.head.operation.imported !== undefined) {
          throw new MeshError('unauthorized', 'An imported message stays as it was written.')
        }
        const edited = textOf(message, order(), text, {
          mentions: options.mentions ?? content.mentions,
          attachments: options.attachments ?? content.attachments,
        })
        await write([replacing(edited, (at) => views.ahead(node, at))], options.signal)
        await erase(toErase(node))
      })
    },

    delete: (message, { signal } = {}) =>
      mutate(signal, async () => {
        const node = needOwn(message)
        await write([{ op: 'delete', order: order(), message }], signal)
        await erase(toErase(node))
      }),

    ask: (message, options = {}) => mutate(options.signal, () => startAnswer(need(message, 'say'), options)),

    async stop(answer, { signal } = {}) {
      const node = need(answer, 'answer')
      const own = running.get(answer)
      if (own !== undefined) {
        own.stop()
        await own.done
      } else if (node.head.author === self) await endAbandonedAnswer(node)
      else await mutate(signal, () => write([{ op: 'stop', order: order(), answer }], signal))
    },

    async hide(answer, hidden, { signal } = {}) {
      const node = need(answer, 'answer')
      await mutate(signal, () =>
        write([replacing({ op: 'hide', order: order(), answer, hidden }, (at) => views.ahead(node, at))], signal),
      )
    },

    async rename(name, { signal } = {}) {
      const given = checkName(name)
      await mutate(signal, () => write([setting({ op: 'name', order: order(), name: given })], signal))
    },

    async setRule(rule, { signal } = {}) {
      await mutate(signal, () => write([setting({ op: 'rule', order: order(), rule })], signal))
    },

    markSeen(messages) {
      for (const id of messages) onScreen.add(id)
      markSoon()
    },
    markAllSeen() {
      for (const node of fold.messages) if (!views.isSeen(node)) onScreen.add(node.id)
      markSoon()
    },
    attend(attention) {
      presence.tell({ here: attention !== 'away', typing: attention === 'typing' })
      if (attention === 'away') {
        cancelTick?.()
        cancelTick = undefined
      } else if (cancelTick === undefined) tick()
    },
    receipts(message) {
      const node = fold.node(message)
      return node === undefined ? { devices: [], seenBy: [] } : views.receipts(node)
    },

    *texts() {
      for (let index = fold.messages.length - 1; index >= 0; index--) {
        const node = fold.messages[index]
        const content = node && views.content(node)
        if (node === undefined || content === undefined || content.text === '') continue
        yield { message: node.id, writtenAt: node.head.at, text: content.text }
      }
    },
    lines: () => {
      const lines: RoomLine[] = []
      for (const item of views.view().items) {
        if (item.kind !== 'message' && item.kind !== 'answer') continue
        const author = item.kind === 'answer' ? AI : unlikeAi(ports.nameOf(item.person))
        const { id, device, text, writtenAt, imported } = item
        lines.push({ id, author, device, text, writtenAt, state: lineState(item), ...(imported && { imported }) })
      }
      return lines
    },
    forget: () => views.forget(),

    async endAbandoned() {
      for (const node of fold.messages) {
        if (node.head.operation.op === 'answer' && node.head.author === self) await endAbandonedAnswer(node)
      }
      eraseText(fold.messages)
    },

    async close() {
      if (closed) return
      presence.close()
      cancelTick?.()
      // what was on the screen was seen
      cancelMark?.()
      if (onScreen.size > 0) {
        await writeMark().catch((error: unknown) => {
          ports.problem(asMeshError(error, 'storage-failed'))
        })
      }
      closed = true
      for (const answer of running.values()) answer.abandon()
      endDocument()
      await arrivals.settled()
      await replica.close()
    },
  }

  async function endAbandonedAnswer(node: MessageNode): Promise<void> {
    const content = views.content(node)
    if (!('end' in content) || content.end !== undefined || running.has(node.id)) return
    const { text } = content
    await write([{ op: 'end', answer: node.id, state: 'failed', length: text.length, error: ABANDONED }])
  }
}

const AI = 'ai'

/** Nobody is taken for the AI by calling themselves so. */
function unlikeAi(name: string): string {
  return name.trim().toLowerCase() === AI ? `${name} (a person)` : name
}

function lineState(item: RoomMessage | RoomAnswer): RoomLine['state'] {
  if (item.kind === 'answer' || item.state !== 'here') return item.state as RoomLine['state']
  return item.delivery?.kind ?? 'spread'
}

/** @throws MeshError `usage`, `too-large` */
function checkText(text: string, options: SayOptions): void {
  if (text.trim() === '' && (options.attachments ?? []).length === 0) {
    throw new MeshError('usage', 'A message needs at least one character.')
  }
  checkSize('characters', text.length, ROOM_TEXT_MAX_LENGTH)
  checkSize('people', options.mentions?.length ?? 0, ROOM_MENTIONS_MAX)
  checkSize('files', options.attachments?.length ?? 0, ROOM_ATTACHMENTS_MAX)
}

function checkSize(what: string, got: number, max: number): void {
  if (got <= max) return
  throw new MeshError('too-large', `A message has at most ${String(max)} ${what}.`, { detail: { max, got } })
}

/** The name as it is kept. @throws MeshError `usage` */
export function checkName(name: string): string {
  if (name.trim().length > ROOM_NAME_MAX_LENGTH) {
    throw new MeshError('usage', `The name of a room has at most ${String(ROOM_NAME_MAX_LENGTH)} characters.`)
  }
  const given = cleanRoomName(name)
  if (given === '') throw new MeshError('usage', 'A room needs a name.')
  return given
}
