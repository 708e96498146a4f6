import { asId, createEvents, MeshError, type ChatId, type MessageId, type ModelId } from '../../../mesh/base/index.ts'
import type { AnswerWriter, ChatChange, Chats, ChatSummary, ChatView, MessageView } from '../../../mesh/state/index.ts'

type Node = Omit<MessageView, 'siblings'>

interface FakeChat {
  id: ChatId
  title: string
  createdAt: number
  updatedAt: number
  model: ModelId | undefined
  nodes: Map<MessageId, Node>
  leaf: MessageId | undefined
  aside: readonly { readonly below: MessageId | null; readonly nodes: readonly Node[] }[]
}

/** One message of a scripted chat; its parent is the one before it. */
export type Line = Omit<Node, 'id' | 'parent' | 'createdAt'>

/** Chats in memory for the preview, with a way to write scripted ones. */
export interface FakeChats extends Omit<Chats, 'branch' | 'closeAbandoned'> {
  script(title: string, ageMs: number, lines: readonly Line[]): ChatId
  /** Replaces parts of a message, as a stream would. */
  patch(chat: ChatId, message: MessageId, change: Partial<Node>): void
  /** Adds a branch beside a message, not shown. */
  branch(chat: ChatId, beside: MessageId, line: Line): MessageId
  /** Lines that came late of a removed device, each after the one before it. */
  comesLate(chat: ChatId, below: MessageId | null, lines: readonly Line[]): void
}

/** Makes {@link FakeChats}. Ids are counted, so that a scenario is the same each time. */
export function createFakeChats(now: () => number): FakeChats {
  const chats = new Map<ChatId, FakeChat>()
  const changes = createEvents<ChatChange>((error) => {
    console.error(error)
  })
  let count = 0
  const nextId = (): string => `preview-${String((count += 1)).padStart(4, '0')}`
  const must = (id: ChatId): FakeChat => {
    const chat = chats.get(id)
    if (chat === undefined) throw new MeshError('usage', 'There is no such chat.')
    return chat
  }
  const add = (chat: FakeChat, node: Omit<Node, 'id' | 'createdAt'>): MessageId => {
    const id = asId<MessageId>(nextId())
    chat.nodes.set(id, { ...node, id, createdAt: now() })
    chat.leaf = id
    chat.updatedAt = now()
    if (chat.title === '' && node.author === 'person') chat.title = node.text.slice(0, 48)
    return id
  }
  const pathOf = (chat: FakeChat): Node[] => {
    const path: Node[] = []
    for (let id = chat.leaf ?? null; id !== null;) {
      const node = chat.nodes.get(id)
      if (node === undefined) break
      path.unshift(node)
      id = node.parent
    }
    return path
  }
  const summary = (chat: FakeChat): ChatSummary => {
    const last = pathOf(chat).at(-1)
    return {
      id: chat.id,
      title: chat.title,
      createdAt: chat.createdAt,
      updatedAt: chat.updatedAt,
      excerpt: last?.text.slice(0, 80).replaceAll('\n', ' ') ?? '',
      lastState: last?.state,
      model: chat.model,
    }
  }
  const childOf = (chat: FakeChat, id: MessageId): MessageId => {
    const child = [...chat.nodes.values()].filter((node) => node.parent === id).at(-1)
    return child === undefined ? id : childOf(chat, child.id)
  }
  const tell = (chat: ChatId | null): void => {
    changes.emit({ chat, stored: false })
  }
  const writerOf = (chat: FakeChat, id: MessageId): AnswerWriter => {
    const change = (part: Partial<Node>): void => {
      const node = chat.nodes.get(id)
      if (node !== undefined) chat.nodes.set(id, { ...node, ...part })
      tell(chat.id)
    }
    return {
      id,
      route: (route) => {
        change({ route })
      },
      append: (text) => {
        change({ text: (chat.nodes.get(id)?.text ?? '') + text, state: 'streaming' })
      },
      finish: (end) => {
        change(end)
        tell(null)
        return Promise.resolve()
      },
      abandon: () => undefined,
    }
  }

  return {
    changes,
    problems: createEvents<MeshError>(() => {}),
    health: () => ({ corruptEntries: 0, newerEntries: 0 }),
    list: () => [...chats.values()].sort((a, b) => b.updatedAt - a.updatedAt).map(summary),
    get(id): ChatView | undefined {
      const chat = chats.get(id)
      if (chat === undefined) return undefined
      const siblings = (node: Node): readonly MessageId[] =>
        [...chat.nodes.values()]
          .filter((other) => other.parent === node.parent && other.author === node.author)
          .map((other) => other.id)
      const path = pathOf(chat).map((node) => ({ ...node, siblings: siblings(node) }))
      const aside = chat.aside.map(({ below, nodes }) => ({
        below,
        messages: nodes.map((node) => ({ ...node, siblings: [node.id] })),
      }))
      return { ...summary(chat), path, ...(aside.length > 0 ? { aside } : {}) }
    },
    create() {
      const id = asId<ChatId>(nextId())
      chats.set(id, {
        id,
        title: '',
        createdAt: now(),
        updatedAt: now(),
        model: undefined,
        nodes: new Map(),
        leaf: undefined,
        aside: [],
      })
      tell(null)
      return Promise.resolve(id)
    },
    rename(id, title) {
      must(id).title = title
      tell(null)
      tell(id)
      return Promise.resolve()
    },
    delete(id) {
      chats.delete(id)
      tell(null)
      return Promise.resolve()
    },
    chooseModel(id, model) {
      must(id).model = model
      tell(id)
      return Promise.resolve()
    },
    addPersonMessage(id, parent, text) {
      const message = add(must(id), { parent, author: 'person', text, state: 'done' })
      tell(id)
      tell(null)
      return Promise.resolve(message)
    },
    addAnswer(id, parent) {
      const chat = must(id)
      const message = add(chat, { parent, author: 'ai', text: '', state: 'waiting' })
      tell(id)
      return Promise.resolve(writerOf(chat, message))
    },
    showBranch(id, message) {
      const chat = must(id)
      const late = chat.aside.find(({ nodes }) => nodes.some((node) => node.id === message))
      for (const node of late?.nodes ?? []) chat.nodes.set(node.id, node)
      chat.aside = chat.aside.filter((one) => one !== late)
      chat.leaf = childOf(chat, message)
      tell(id)
      return Promise.resolve()
    },
    export(id, format) {
      const path = pathOf(must(id))
      if (format === 'json') return JSON.stringify([...must(id).nodes.values()])
      return path.map((node) => `## ${node.author}\n\n${node.text}`).join('\n\n')
    },
    refresh: () => Promise.resolve(),
    script(title, ageMs, lines) {
      const id = asId<ChatId>(nextId())
      const at = now() - ageMs
      const chat: FakeChat = {
        id,
        title,
        createdAt: at,
        updatedAt: at,
        model: undefined,
        nodes: new Map(),
        leaf: undefined,
        aside: [],
      }
      chats.set(id, chat)
      let parent: MessageId | null = null
      for (const line of lines) parent = add(chat, { ...line, parent })
      chat.updatedAt = at
      return id
    },
    patch(id, message, change) {
      const chat = must(id)
      const node = chat.nodes.get(message)
      if (node !== undefined) chat.nodes.set(message, { ...node, ...change })
      tell(id)
    },
    branch(id, beside, line) {
      const chat = must(id)
      const { leaf } = chat
      const added = add(chat, { ...line, parent: chat.nodes.get(beside)?.parent ?? null })
      chat.leaf = leaf
      return added
    },
    comesLate(id, below, lines) {
      const chat = must(id)
      let parent = below
      const nodes = lines.map((line) => {
        const node = { ...line, id: asId<MessageId>(nextId()), parent, createdAt: now(), late: true }
        parent = node.id
        return node
      })
      chat.aside = [...chat.aside, { below, nodes }]
    },
  }
}
