import type { MessageView } from './chats.ts'
import type { ChatTree } from './tree.ts'
import { chatView, titleOf, wholeView, type LiveLookup } from './views.ts'

/** The branch in view as Markdown, texts unchanged. */
export function exportMarkdown(tree: ChatTree, live: LiveLookup): string {
  const view = chatView(tree, live)
  const head = `# ${view.title === '' ? 'Chat' : view.title}\n\n${new Date(view.createdAt).toISOString()}\n`
  return [head, ...view.path.map(messageToMarkdown)].join('\n')
}

/** The whole tree, every branch, as JSON with a version. */
export function exportJson(tree: ChatTree, live: LiveLookup): string {
  const { id, createdAt, updatedAt, model, leaf } = tree
  const messages = [...tree.messages.values()].map((message) => wholeView(tree, message, live))
  const chat = { id, title: titleOf(tree), createdAt, updatedAt, model, leaf }
  return `${JSON.stringify({ format: 'plexus-chat', version: 1, chat, messages }, undefined, 2)}\n`
}

function messageToMarkdown(message: MessageView): string {
  const who = message.author === 'person' ? 'You' : answeredBy(message)
  const state = message.state === 'done' ? '' : ` (${message.state})`
  return `## ${who}${state}\n\n${message.text}\n`
}

function answeredBy(message: MessageView): string {
  return message.route === undefined ? 'Answer' : `${message.route.deviceName} · ${message.route.model}`
}
