import { createEvents, randomInt, type ChatId, type DeviceId, type Random } from '../../mesh/base/index.ts'
import type { ChatDocuments, ChatEntry } from '../../mesh/state/index.ts'

/** The documents of a person's chats on one device, as they lie on its disk. */
export interface TestChatDocuments extends ChatDocuments {
  /** Puts an entry in as another device of the person would, without asking this one. */
  plant(chat: ChatId, entry: Omit<ChatEntry, 'author'>): void
  /** Takes back one of those this device wrote under an id, picked by the random source, where it wrote several. */
  takeBackOne(chat: ChatId, id: string): void
  /** An entry of another device lies on this disk. */
  plantAs(author: DeviceId, chat: ChatId, entry: Omit<ChatEntry, 'author'>): void
  /** Chats whose documents were opened since the device started, one after the other. */
  readonly opened: readonly ChatId[]
  /** Entries of a chat here, whoever wrote them. */
  entriesOf(chat: ChatId): readonly ChatEntry[]
}

/** Replicas of chat documents over a network that loses nothing and keeps no order. */
export interface ChatNetwork {
  device(id: DeviceId): TestChatDocuments
  /** Only devices of one group hear each other; without groups all do. */
  partition(...groups: readonly (readonly DeviceId[])[]): void
  /** Delivers up to so many letters, picked at random; all that can come when it is not said. */
  deliver(count?: number): void
  readonly waiting: number
}

interface Replica {
  readonly id: DeviceId
  readonly chats: Map<ChatId, Map<string, ChatEntry>>
  readonly erased: Set<string>
  readonly changes: ReturnType<typeof createEvents<ChatId | null>>
}

interface Letter {
  readonly from: DeviceId
  readonly to: DeviceId
  deliver(): void
}

/** Makes a network in which the random source picks what arrives next. */
export function createChatNetwork(random: Random): ChatNetwork {
  const replicas = new Map<DeviceId, Replica>()
  const letters: Letter[] = []
  let groups: readonly (readonly DeviceId[])[] | undefined
  let written = 0

  const areLinked = ({ from, to }: Letter): boolean =>
    groups === undefined || groups.some((group) => group.includes(from) && group.includes(to))

  const docOf = (replica: Replica, chat: ChatId): Map<string, ChatEntry> => {
    const known = replica.chats.get(chat) ?? new Map<string, ChatEntry>()
    replica.chats.set(chat, known)
    return known
  }

  const receive = (to: Replica, chat: ChatId, key: string, entry: ChatEntry): void => {
    // an erasure may overtake what it erases
    if (to.erased.has(key)) return
    docOf(to, chat).set(key, entry)
    to.changes.emit(chat)
  }

  /** To every other device, as it runs when the letter comes. */
  const send = (by: Replica, act: (to: Replica) => void): void => {
    for (const { id } of replicas.values()) {
      if (id === by.id) continue
      const deliver = (): void => {
        const to = replicas.get(id)
        if (to !== undefined) act(to)
      }
      letters.push({ from: by.id, to: id, deliver })
    }
  }

  const write = (by: Replica, chat: ChatId, entry: Omit<ChatEntry, 'author'>): void => {
    const key = String((written += 1))
    const whole = { ...entry, author: by.id }
    docOf(by, chat).set(key, whole)
    send(by, (to) => {
      receive(to, chat, key, { ...whole })
    })
  }

  const erase = (by: Replica, chat: ChatId, key: string): void => {
    const act = (at: Replica): void => {
      at.erased.add(key)
      docOf(at, chat).delete(key)
      if (at !== by) at.changes.emit(chat)
    }
    act(by)
    send(by, act)
  }

  return {
    get waiting() {
      return letters.filter(areLinked).length
    },
    partition(...next) {
      groups = next.length === 0 ? undefined : next
    },
    deliver(count = Infinity) {
      for (let left = count; left > 0; left--) {
        const open = letters.filter(areLinked)
        const letter = open[randomInt(random, Math.max(1, open.length))]
        if (letter === undefined) return
        letters.splice(letters.indexOf(letter), 1)
        letter.deliver()
      }
    },
    device(id) {
      const known = replicas.get(id)
      const changes = createEvents<ChatId | null>((error) => {
        throw error
      })
      const replica: Replica = { id, chats: known?.chats ?? new Map(), erased: known?.erased ?? new Set(), changes }
      replicas.set(id, replica)
      const opened: ChatId[] = []
      return {
        self: id,
        changes,
        mayShare: () => true,
        list: () => [...replica.chats.keys()],
        version: (chat) => Promise.resolve([...(replica.chats.get(chat)?.keys() ?? [])].join()),
        opened,
        open(chat) {
          opened.push(chat)
          return Promise.resolve({
            entries: () => docOf(replica, chat).values(),
            write(entries) {
              for (const entry of entries) write(replica, chat, entry)
              return Promise.resolve()
            },
            eraseOwn(but) {
              const own = [...docOf(replica, chat)].filter(([, entry]) => entry.author === id && entry.id !== but)
              for (const [key] of own) erase(replica, chat, key)
              return Promise.resolve(own.length > 0)
            },
            forgetErased: () => Promise.resolve(),
            close: () => undefined,
          })
        },
        plant(chat, entry) {
          write(replica, chat, entry)
          replica.changes.emit(chat)
        },
        takeBackOne(chat, under) {
          const own = [...docOf(replica, chat)].filter(([, entry]) => entry.author === id && entry.id === under)
          const [key] = own[randomInt(random, Math.max(1, own.length))] ?? []
          if (key === undefined || own.length < 2) return
          erase(replica, chat, key)
          replica.changes.emit(chat)
        },
        plantAs(author, chat, entry) {
          receive(replica, chat, `planted ${String((written += 1))}`, { ...entry, author })
        },
        entriesOf: (chat) => [...docOf(replica, chat).values()],
      }
    },
  }
}
