import type { ChatId, ErrorCode, MessageId, ModelId } from '../base/index.ts'
import type { Route } from '../route/index.ts'
import type { AnswerFigures } from './chats.ts'
import type { Operation, OperationOf } from './operations.ts'

/** A message as the log tells it. `open`: an answer whose end is not in the log. */
export interface TreeMessage {
  readonly id: MessageId
  readonly parent: MessageId | null
  readonly author: 'person' | 'ai'
  readonly createdAt: number
  /** Counts up over the chat's log; younger is larger. */
  readonly order: number
  text: string
  state: 'open' | 'done' | 'stopped' | 'failed'
  route: Route | undefined
  figures: AnswerFigures | undefined
  error: { readonly code: ErrorCode; readonly message: string } | undefined
  readonly children: MessageId[]
  /** Stands in for an entry that could not be read. */
  missing: boolean
}

/** One chat as its log tells it. */
export interface ChatTree {
  readonly id: ChatId
  createdAt: number
  updatedAt: number
  title: string | undefined
  model: ModelId | undefined
  readonly messages: Map<MessageId, TreeMessage>
  readonly roots: MessageId[]
  /** The end of the branch in view. */
  leaf: MessageId | null
}

/** A chat without messages. */
export function emptyTree(id: ChatId, createdAt: number): ChatTree {
  return {
    id,
    createdAt,
    updatedAt: createdAt,
    title: undefined,
    model: undefined,
    messages: new Map(),
    roots: [],
    leaf: null,
  }
}

/**
 * The fold: what one operation does to a tree, in place. Depends on nothing but its
 * arguments, never throws, and an operation met twice changes nothing. Where an
 * entry before it could not be read, a stand-in takes its place, so that what
 * follows stays in the tree.
 */
export function applyOperation(tree: ChatTree, operation: Operation): void {
  switch (operation.op) {
    case 'chat':
      tree.createdAt = operation.at
      tree.updatedAt = Math.max(tree.updatedAt, operation.at)
      return
    case 'title':
      tree.title = operation.title
      return
    case 'model':
      tree.model = operation.model ?? undefined
      return
    case 'say':
      say(tree, operation)
      return
    case 'answer':
      answer(tree, operation)
      return
    case 'end':
      end(tree, operation)
      return
    case 'show':
      if (tree.messages.has(operation.message)) tree.leaf = newestLeaf(tree, operation.message)
      return
    // kept as records of their own, not in the log
    case 'draft':
    case 'deleted':
      return
  }
}

/** The messages with the same parent and author, oldest first, the given one among them. */
export function siblingsOf(tree: ChatTree, message: TreeMessage): MessageId[] {
  return childrenOf(tree, message.parent).filter((id) => tree.messages.get(id)?.author === message.author)
}

/** From the first message to `leaf`. */
export function pathTo(tree: ChatTree, leaf: MessageId | null): TreeMessage[] {
  const path: TreeMessage[] = []
  let next = leaf
  while (next !== null) {
    const message = tree.messages.get(next)
    if (message === undefined) break
    path.push(message)
    next = message.parent
  }
  return path.reverse()
}

/** The youngest leaf at or below a message. */
export function newestLeaf(tree: ChatTree, from: MessageId): MessageId {
  let newest = tree.messages.get(from)
  const open = [from]
  for (let id = open.pop(); id !== undefined; id = open.pop()) {
    const message = tree.messages.get(id)
    if (message === undefined) continue
    // a leaf is always younger than what is above it
    if (newest === undefined || message.order > newest.order) newest = message
    open.push(...message.children)
  }
  return newest?.id ?? from
}

function childrenOf(tree: ChatTree, parent: MessageId | null): MessageId[] {
  return parent === null ? tree.roots : (tree.messages.get(parent)?.children ?? [])
}

function say(tree: ChatTree, operation: OperationOf<'say'>): void {
  const known = tree.messages.get(operation.message)
  if (known !== undefined) {
    if (known.missing && known.author === 'person') fill(known, operation.text)
    return
  }
  const parent = operation.parent === operation.message ? null : operation.parent
  add(tree, {
    id: operation.message,
    parent: parent === null ? null : ensure(tree, parent, 'ai', operation.at),
    author: 'person',
    createdAt: operation.at,
    text: operation.text,
    state: 'done',
  })
  tree.leaf = operation.message
}

function fill(message: TreeMessage, text: string): void {
  message.text = text
  message.state = 'done'
  message.error = undefined
  message.missing = false
}

function answer(tree: ChatTree, operation: OperationOf<'answer'>): void {
  if (tree.messages.has(operation.message) || operation.parent === operation.message) return
  add(tree, {
    id: operation.message,
    parent: ensure(tree, operation.parent, 'person', operation.at),
    author: 'ai',
    createdAt: operation.at,
    text: '',
    state: 'open',
  })
  tree.leaf = operation.message
}

function end(tree: ChatTree, operation: OperationOf<'end'>): void {
  if (!tree.messages.has(operation.message)) {
    // the entry that began this answer could not be read: it goes where the chat was
    const parent = nearest(tree, 'person')
    add(tree, { id: operation.message, parent, author: 'ai', createdAt: operation.at, text: '', state: 'open' })
    tree.leaf = operation.message
  }
  const message = tree.messages.get(operation.message)
  if (message === undefined || message.author !== 'ai') return
  if (message.state !== 'open' && !message.missing) return
  message.text = operation.text
  message.state = operation.state
  message.route = operation.route
  message.figures = operation.figures
  message.error = operation.error
  message.missing = false
}

type NewMessage = Pick<TreeMessage, 'id' | 'parent' | 'author' | 'createdAt' | 'text' | 'state'>

function add(tree: ChatTree, message: NewMessage): TreeMessage {
  const added: TreeMessage = {
    ...message,
    order: tree.messages.size,
    route: undefined,
    figures: undefined,
    error: undefined,
    children: [],
    missing: false,
  }
  tree.messages.set(message.id, added)
  childrenOf(tree, message.parent).push(message.id)
  tree.updatedAt = Math.max(tree.updatedAt, message.createdAt)
  return added
}

/** The id, after a stand-in was put there if nothing is known of it. */
function ensure(tree: ChatTree, id: MessageId, author: 'person' | 'ai', at: number): MessageId {
  if (tree.messages.has(id)) return id
  const parent = nearest(tree, author === 'ai' ? 'person' : 'ai')
  const standIn = add(tree, { id, parent, author, createdAt: at, text: '', state: 'failed' })
  standIn.missing = true
  standIn.error = {
    code: 'storage-corrupt',
    message: 'This message could not be read from the storage of this device.',
  }
  return id
}

/** The last message of this author on the branch in view. */
function nearest(tree: ChatTree, author: 'person' | 'ai'): MessageId | null {
  return pathTo(tree, tree.leaf).findLast((message) => message.author === author)?.id ?? null
}
