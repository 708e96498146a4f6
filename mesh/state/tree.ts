import type { ChatId, ErrorCode, MessageId, ModelId } from '../base/index.ts'
import type { Route } from '../route/index.ts'
import type { AnswerFigures } from './chats.ts'
import { isLife, type ChatOperation } from './chat-operations.ts'
import { markIn } from './entry-id.ts'
import { isOwnWord } from './late-operations.ts'
import type { OperationOf } from './operations.ts'

/** A message as the log tells it. `open`: an answer whose end is not in the log. */
export interface TreeMessage {
  readonly id: MessageId
  readonly parent: MessageId | null
  readonly author: 'person' | 'ai'
  readonly createdAt: number
  /** Counts up over the chat; younger is larger. */
  readonly order: number
  /** The last message of each author on the way down to this one, itself included. */
  readonly last: Readonly<Record<'person' | 'ai', MessageId | null>>
  text: string
  state: 'open' | 'done' | 'stopped' | 'failed'
  route: Route | undefined
  figures: AnswerFigures | undefined
  error: { readonly code: ErrorCode; readonly message: string } | undefined
  readonly children: MessageId[]
  /** Stands in for an entry that could not be read, or has not come. */
  missing: boolean
  /** Something else stood here first: only who wrote it can have put this in its place. */
  edited: boolean
  /** Came late of a device that may not write any more: no part of the chat, unless somebody chose to go on from it. */
  readonly isAside: boolean
  /** Of an answer: its end, where that came late. It is no part of the chat either. */
  lateEnd: OperationOf<'end'> | undefined
  /** Somebody who may write chose to go on from what came late of it, or from what follows that. */
  isChosen: boolean
  /** Of an answer: the mark of the device that began it; undefined: this one. */
  writer: string | undefined
}

/** One chat as its log tells it. */
export interface ChatTree {
  readonly id: ChatId
  createdAt: number
  updatedAt: number
  title: string | undefined
  model: ModelId | undefined
  readonly messages: Map<MessageId, TreeMessage>
  /** Those that came, or ended, late, in order, whether somebody chose them or not. */
  readonly late: TreeMessage[]
  readonly roots: MessageId[]
  /** The end of the branch in view. */
  leaf: MessageId | null
  /** Nothing of it came in time, the making neither: what came late is all there is to see. */
  readonly isAllLate: boolean
}

/**
 * The fold: the chat that a set of operations makes. Depends on nothing but its
 * arguments and never throws, so every device that has the same operations shows the
 * same chat, whatever order they came in. Where an entry is missing (it could not be
 * read, or has not come yet), a stand-in takes its place, so that what follows stays
 * in the tree. What came late of who may not write any more is placed after all else, so
 * that a place it claims moves nothing: it stays aside until somebody who may write shows it, and
 * neither titles the chat nor chooses the branch in view.
 * @param all each id once, in order
 */
export function foldChat(id: ChatId, createdAt: number, all: readonly ChatOperation[]): ChatTree {
  const operations = lateLast(all)
  const tree: ChatTree = {
    id,
    createdAt,
    updatedAt: createdAt,
    title: undefined,
    model: undefined,
    messages: new Map(),
    late: [],
    roots: [],
    leaf: null,
    isAllLate: all.some(({ operation }) => isLife(operation)) && all.every(({ isLate }) => isLate === true),
  }
  const found = sortOut(operations)
  for (const { operation } of operations) {
    // the last in order is right
    if (operation.op === 'chat') tree.createdAt = operation.at
    else if (operation.op === 'title') tree.title = operation.title
    else if (operation.op === 'model') tree.model = operation.model ?? undefined
    else if (operation.op === 'say' || operation.op === 'answer') place(tree, found, operation.message)
    else if (operation.op === 'end') placeEnd(tree, found, operation)
  }
  tree.updatedAt = Math.max(tree.updatedAt, tree.createdAt)
  choose(tree, operations)
  tree.leaf = inView(tree, operations)
  return tree
}

function lateLast(all: readonly ChatOperation[]): readonly ChatOperation[] {
  const late = all.filter(({ isLate }) => isLate === true)
  if (late.length === 0) return all
  const counted = late.filter((one) => one.operation.op === 'chat' || isOwnWord(one))
  return [...all.filter(({ isLate }) => isLate !== true), ...counted]
}

/** False for what names no chat, and chooses none of its branches. */
export function mayLead(tree: ChatTree, { isAside }: TreeMessage): boolean {
  return !isAside || tree.isAllLate
}

/** True for what people and models are shown without asking: what came in time, and what somebody chose. */
export function isPart({ isAside, isChosen }: TreeMessage): boolean {
  return !isAside || isChosen
}

/** The messages with the same parent and author that are part of the chat, oldest first, and the given one among them. */
export function siblingsOf(tree: ChatTree, message: TreeMessage): MessageId[] {
  return childrenOf(tree, message.parent).filter((id) => {
    const other = tree.messages.get(id)
    return other?.author === message.author && (other === message || isPart(other))
  })
}

/** What is part of the chat from the first message to `leaf`. */
export function pathTo(tree: ChatTree, leaf: MessageId | null): TreeMessage[] {
  const path: TreeMessage[] = []
  let next = leaf
  while (next !== null) {
    const message = tree.messages.get(next)
    if (message === undefined) break
    if (isPart(message)) path.push(message)
    next = message.parent
  }
  return path.reverse()
}

/** The youngest leaf at or below a message, but for what came late and nobody chose. */
export function newestLeaf(tree: ChatTree, from: MessageId): MessageId {
  let newest = tree.messages.get(from)
  const open = [from]
  for (let id = open.pop(); id !== undefined; id = open.pop()) {
    const message = tree.messages.get(id)
    if (message === undefined) continue
    // a leaf is always younger than what is above it
    if (newest === undefined || (message.order > newest.order && (isPart(message) || tree.isAllLate))) newest = message
    open.push(...message.children)
  }
  return newest?.id ?? from
}

function childrenOf(tree: ChatTree, parent: MessageId | null): MessageId[] {
  return parent === null ? tree.roots : (tree.messages.get(parent)?.children ?? [])
}

/** What began a message or answer. */
type Beginning = OperationOf<'say' | 'answer'>
type Begun = ChatOperation & { readonly operation: Beginning }
type Ended = ChatOperation & { readonly operation: OperationOf<'end'> }

interface Found {
  readonly begun: ReadonlyMap<MessageId, Begun>
  readonly ended: ReadonlyMap<MessageId, readonly Ended[]>
}

/** What begins and ends each message. Of several beginnings that of the device whose mark the message bears, else the first. */
function sortOut(operations: readonly ChatOperation[]): Found {
  const begun = new Map<MessageId, Begun>()
  const ended = new Map<MessageId, Ended[]>()
  for (const each of operations) {
    const { operation } = each
    if (operation.op === 'say' || operation.op === 'answer') {
      const known = begun.get(operation.message)
      if (operation.op === 'answer' && operation.parent === operation.message) continue
      const one = { ...each, operation }
      const isBetter = isRightful(one) && known !== undefined && !isRightful(known) && one.isLate !== true
      if (known === undefined || isBetter) begun.set(operation.message, one)
    } else if (operation.op === 'end') {
      // a device may write any number of them
      const ends = ended.get(operation.message) ?? []
      ends.push({ ...each, operation })
      ended.set(operation.message, ends)
    }
  }
  return { begun, ended }
}

/** True for the device that gave the message its id: no other can put its own words there. */
function isRightful({ operation, by, isCarried }: Begun): boolean {
  return !isCarried && by !== undefined && markIn(operation.message) === by
}

/** Adds a message with what it follows before it. */
function place(tree: ChatTree, found: Found, id: MessageId): void {
  const { begun } = found
  const line: Begun[] = []
  const inLine = new Set<MessageId>()
  for (let next: MessageId | null = id; next !== null && !tree.messages.has(next) && !inLine.has(next);) {
    const one = begun.get(next)
    if (one === undefined) break
    inLine.add(next)
    line.push(one)
    next = one.operation.parent
  }
  for (let one = line.pop(); one !== undefined; one = line.pop()) begin(tree, found, one)
}

function begin(tree: ChatTree, { begun, ended }: Found, one: Begun): void {
  const { operation, by, isCarried, isChanged = false, isLate = false } = one
  const { message: id, parent, at } = operation
  const above = operation.op === 'say' ? 'ai' : 'person'
  // messages that follow each other in a circle begin anew where it is closed
  const isCircle = parent === id || (parent !== null && !tree.messages.has(parent) && begun.has(parent))
  const message = add(tree, {
    id,
    parent: parent === null || isCircle ? null : ensure(tree, parent, above, { at, isAside: isLate }),
    author: operation.op === 'say' ? 'person' : 'ai',
    createdAt: at,
    text: operation.op === 'say' ? operation.text : '',
    state: operation.op === 'say' ? 'done' : 'open',
    isAside: isLate,
  })
  message.edited = isChanged
  if (mayLead(tree, message)) tree.leaf = id
  if (operation.op === 'say') return
  message.writer = by
  const ends = ended.get(id) ?? []
  const own = ends.find((end) => end.by === by && (isCarried || !end.isCarried))
  finish(tree, message, own ?? ends[0])
}

/** The end of an answer whose beginning is missing: it goes where the chat was. */
function placeEnd(tree: ChatTree, { begun, ended }: Found, { message: id, at }: OperationOf<'end'>): void {
  if (begun.has(id) || tree.messages.get(id)?.missing === false) return
  const known = tree.messages.get(id)
  if (known?.author === 'person') return
  const parent = nearest(tree, 'person')
  const end = ended.get(id)?.[0]
  const isLate = end?.isLate === true
  const message =
    known ?? add(tree, { id, parent, author: 'ai', createdAt: at, text: '', state: 'open', isAside: isLate })
  if (!isLate || tree.isAllLate) tree.leaf = id
  finish(tree, message, end)
}

function finish(tree: ChatTree, message: TreeMessage, end: Ended | undefined): void {
  if (end === undefined) return
  if (end.isLate === true && !message.isAside) {
    message.lateEnd = end.operation
    tree.late.push(message)
    return
  }
  endBy(message, end.operation)
  message.edited ||= end.isChanged === true
}

function endBy(message: TreeMessage, { text, state, route, figures, error }: OperationOf<'end'>): void {
  Object.assign(message, { text, state, route, figures, error, missing: false })
}

/** What came late is part of the chat where it was shown on purpose, with what came late above it. */
function choose(tree: ChatTree, operations: readonly ChatOperation[]): void {
  if (tree.late.length === 0) return
  for (const { operation, isLate } of operations) {
    if (operation.op !== 'show' || isLate === true) continue
    let next = tree.messages.get(operation.message)
    // what stands in for what only something late names was asked for by nobody
    if (next?.missing === true) continue
    while (next !== undefined && !next.isChosen && (next.isAside || next.lateEnd !== undefined)) {
      next.isChosen = true
      if (next.lateEnd !== undefined) endBy(next, next.lateEnd)
      next = next.parent === null ? undefined : tree.messages.get(next.parent)
    }
  }
}

/** The end of the branch that was begun or shown last. */
function inView(tree: ChatTree, operations: readonly ChatOperation[]): MessageId | null {
  for (let index = operations.length - 1; index >= 0; index--) {
    const { operation, isLate = false } = operations[index] ?? {}
    if (isLate) continue
    if (operation?.op !== 'say' && operation?.op !== 'answer' && operation?.op !== 'show') continue
    const message = tree.messages.get(operation.message)
    if (message !== undefined && isPart(message)) return newestLeaf(tree, message.id)
  }
  return tree.leaf
}

type NewMessage = Pick<TreeMessage, 'id' | 'parent' | 'author' | 'createdAt' | 'text' | 'state' | 'isAside'>

function add(tree: ChatTree, message: NewMessage): TreeMessage {
  const above = message.parent === null ? undefined : tree.messages.get(message.parent)
  const added: TreeMessage = {
    ...message,
    order: tree.messages.size,
    last: { ...(above?.last ?? { person: null, ai: null }), [message.author]: message.id },
    route: undefined,
    figures: undefined,
    error: undefined,
    children: [],
    missing: false,
    edited: false,
    lateEnd: undefined,
    isChosen: false,
    writer: undefined,
  }
  tree.messages.set(message.id, added)
  childrenOf(tree, message.parent).push(message.id)
  if (message.isAside) tree.late.push(added)
  if (mayLead(tree, added)) tree.updatedAt = Math.max(tree.updatedAt, message.createdAt)
  return added
}

/** The id, after a stand-in was put there if nothing is known of it. */
function ensure(
  tree: ChatTree,
  id: MessageId,
  author: 'person' | 'ai',
  { at, isAside }: { readonly at: number; readonly isAside: boolean },
): MessageId {
  if (tree.messages.has(id)) return id
  const parent = nearest(tree, author === 'ai' ? 'person' : 'ai')
  const standIn = add(tree, { id, parent, author, createdAt: at, text: '', state: 'failed', isAside })
  standIn.missing = true
  standIn.error = {
    code: 'storage-corrupt',
    message: 'This message is not on this device: it could not be read from its storage, or has not come yet.',
  }
  return id
}

/** The last message of this author on the branch in view. */
function nearest(tree: ChatTree, author: 'person' | 'ai'): MessageId | null {
  return tree.leaf === null ? null : (tree.messages.get(tree.leaf)?.last[author] ?? null)
}
