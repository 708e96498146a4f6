import type { ErrorCode, MessageId } from '../base/index.ts'
import type { Route } from '../route/index.ts'
import type { ChatSummary, ChatView, LateWords, MessageState, MessageView } from './chats.ts'
import { isPart, mayLead, pathTo, siblingsOf, type ChatTree, type TreeMessage } from './tree.ts'
import { excerptFrom, titleFrom } from './words.ts'

/** What is known of an answer beside the log: its writer in this tab, or the text another tab stored so far. */
export interface LiveText {
  readonly text: string
  readonly state: MessageState
  readonly route: Route | undefined
  /** The name of the device that writes it, where that is another one; empty while that is not known. */
  readonly elsewhere?: string | undefined
  readonly error?: { readonly code: ErrorCode; readonly message: string } | undefined
}

/** Looks up the live text of an open answer. */
export type LiveLookup = (message: TreeMessage) => LiveText

/** A message as the screens read it. */
export function messageView(tree: ChatTree, message: TreeMessage, live: LiveLookup): MessageView {
  const common = {
    id: message.id,
    parent: message.parent,
    author: message.author,
    createdAt: message.createdAt,
    // who writes late may write very many at one place
    siblings: isPart(message) ? siblingsOf(tree, message) : [message.id],
    ...(message.edited ? { edited: true } : {}),
    ...(message.isAside || (message.isChosen && message.lateEnd !== undefined) ? { late: true } : {}),
  }
  if (message.state === 'open') return { ...common, ...live(message) }
  const { text, state, route, figures, error } = message
  return { ...common, text, state, route, figures, error }
}

/** A message with all that came late of it, whether somebody chose it or not. */
export function wholeView(tree: ChatTree, message: TreeMessage, live: LiveLookup): MessageView {
  if (message.lateEnd === undefined || message.isChosen) return messageView(tree, message, live)
  const { text, state, route, figures, error } = message.lateEnd
  return { ...messageView(tree, message, live), late: true, text, state, route, figures, error }
}

/** A chat as the list shows it. */
export function chatSummary(tree: ChatTree, live: LiveLookup): ChatSummary {
  const leaf = tree.leaf === null ? undefined : tree.messages.get(tree.leaf)
  const shown = leaf?.state === 'open' ? live(leaf) : leaf
  return {
    id: tree.id,
    title: titleOf(tree),
    createdAt: tree.createdAt,
    updatedAt: tree.updatedAt,
    excerpt: shown === undefined ? '' : excerptFrom(shown.text),
    // an open leaf was replaced by its live text above
    lastState: shown === undefined || shown.state === 'open' ? undefined : shown.state,
    model: tree.model,
    ...(shown !== undefined && 'elsewhere' in shown ? { elsewhere: shown.elsewhere } : {}),
  }
}

/** A chat with the branch in view. */
export function chatView(tree: ChatTree, live: LiveLookup): ChatView {
  const path = pathTo(tree, tree.leaf)
  const aside = lateWords(tree, path, live)
  return {
    ...chatSummary(tree, live),
    path: path.map((message) => messageView(tree, message, live)),
    ...(aside.length > 0 ? { aside } : {}),
  }
}

/** What came late and belongs somewhere below the branch in view, by the message of it that this follows. */
function lateWords(tree: ChatTree, path: readonly TreeMessage[], live: LiveLookup): readonly LateWords[] {
  if (tree.late.length === 0) return []
  const shown = new Set<MessageId | null>(path.map(({ id }) => id)).add(null)
  /** Where what is late stands: a message stands in the tree after the one above it. */
  const places = new Map<MessageId | null, MessageId | null>()
  const words = new Map<MessageId | null, MessageView[]>()
  for (const message of tree.late) {
    const above = message.lateEnd === undefined ? message.parent : message.id
    const place = shown.has(above) ? above : places.get(above)
    if (place === undefined) continue
    if (!isPart(message)) places.set(message.id, place)
    if (message.isChosen) continue
    const view = wholeView(tree, message, live)
    if (view.text === '') continue
    const there = words.get(place) ?? []
    there.push(view)
    words.set(place, there)
  }
  return [null, ...path.map(({ id }) => id)].flatMap((below) => {
    const messages = words.get(below)
    return messages === undefined ? [] : [{ below, messages }]
  })
}

/** The title given, else one from the first message of the person. */
export function titleOf(tree: ChatTree): string {
  if (tree.title !== undefined) return tree.title
  for (const id of tree.roots) {
    const message = tree.messages.get(id)
    if (message?.author === 'person' && !message.missing && mayLead(tree, message)) return titleFrom(message.text)
  }
  return ''
}
