import {
  asId,
  createEvents,
  type DeviceId,
  type MessageId,
  type PersonId,
  type RoomId,
} from '../../../mesh/base/index.ts'
import type { DeviceView } from '../../../mesh/mesh-types.ts'
import type {
  Delivery,
  RoomAnswer,
  RoomChange,
  RoomItem,
  RoomMessage,
  RoomRecord,
  RoomSummary,
  RoomView,
} from '../../../mesh/state/index.ts'
import type { RoomPerson, RoomsPort, SharedRooms } from '../../../app/peer/rooms-port.ts'

const MINUTE = 60_000
const DAY = 24 * 60 * MINUTE

/** A person of the preview: the same id for the same name. */
export function fakePerson(name: string): RoomPerson {
  let hash = 5
  for (const character of name) hash = (hash * 33 + (character.codePointAt(0) ?? 0)) % 0xfffffff
  return { id: asId<PersonId>(hash.toString(16).padStart(32, '0')), name }
}

/** What a scripted room begins with. */
export interface FakeRoom {
  readonly name: string
  readonly people: readonly RoomPerson[]
  readonly items: (write: Script) => readonly RoomItem[]
  readonly typing?: readonly RoomPerson[]
  readonly present?: readonly RoomPerson[]
  readonly cameLater?: boolean
  readonly ageMs?: number
}

/** Writes the lines of a scripted room. Times count back from now. */
export interface Script {
  says(person: RoomPerson, device: DeviceView, agoMs: number, text: string, change?: Partial<RoomMessage>): RoomMessage
  answers(asker: RoomPerson, device: DeviceView, agoMs: number, text: string, change?: Partial<RoomAnswer>): RoomAnswer
  readonly now: number
}

/** What the preview's rooms are made from. */
export interface FakeRoomsOptions {
  readonly self: RoomPerson
  readonly people: readonly RoomPerson[]
  readonly devices: readonly { readonly device: DeviceView; readonly person: RoomPerson }[]
  readonly rooms: readonly FakeRoom[]
}

/** Rooms in memory that do what screens ask of them, without a network. */
export function createFakeRooms(options: FakeRoomsOptions): { port: RoomsPort; ids: readonly RoomId[] } {
  const { self, people } = options
  const changes = createEvents<RoomChange>((error) => {
    console.error(error)
  })
  const views = new Map<RoomId, RoomView>()
  const devices = options.devices.map(({ device }) => device.id)
  const here = devices[0] ?? asId<DeviceId>('nobody')
  let count = 0
  const nextId = (): MessageId => asId<MessageId>(`room-line-${String((count += 1)).padStart(4, '0')}`)

  const script: Script = {
    now: Date.now(),
    says: (person, device, agoMs, text, change = {}) => ({
      kind: 'message',
      id: nextId(),
      device: device.id,
      writtenAt: Date.now() - agoMs,
      unread: false,
      person: person.id,
      own: person.id === self.id,
      state: 'here',
      text,
      mentions: [],
      attachments: [],
      edited: false,
      delivery: undefined,
      ...change,
    }),
    answers: (asker, device, agoMs, text, change = {}) => ({
      kind: 'answer',
      id: nextId(),
      device: device.id,
      writtenAt: Date.now() - agoMs,
      unread: false,
      question: asId<MessageId>('question'),
      asker: asker.id,
      writingHere: false,
      state: 'done',
      text,
      ...change,
    }),
  }

  const summarise = (view: Omit<RoomView, 'unread' | 'firstUnread' | 'last' | 'updatedAt'>): RoomView => {
    const messages = view.items.filter((item) => item.kind === 'message' || item.kind === 'answer')
    const unread = messages.filter((item) => item.unread)
    const last = messages.at(-1)
    return {
      ...view,
      unread: unread.length,
      firstUnread: unread[0]?.id,
      last: last && {
        person: last.kind === 'message' ? last.person : undefined,
        ai: last.kind === 'answer',
        excerpt: last.text.slice(0, 100),
      },
      updatedAt: last?.writtenAt ?? view.record.createdAt,
    }
  }

  const add = (name: string, members: readonly RoomPerson[], room?: FakeRoom): RoomId => {
    const id = asId<RoomId>(`preview-room-${String(views.size + 1)}`)
    const createdAt = Date.now() - (room?.ageMs ?? 0) - 9 * DAY
    const record: RoomRecord = {
      id,
      history: 'joining',
      createdAt,
      createdBy: self.id,
      people: members.map((person, index) => ({
        person: person.id,
        since: createdAt + index * DAY * (room?.cameLater === true ? 1 : 0.5),
      })),
      devices,
    }
    views.set(
      id,
      summarise({
        id,
        name,
        people: members.map((person) => person.id),
        record,
        rule: 'when-asked',
        items: room?.items(script) ?? [],
        typing: (room?.typing ?? []).map((person) => person.id),
        present: (room?.present ?? []).map((person) => person.id),
        health: { corruptOperations: 0, newerOperations: 0 },
      }),
    )
    return id
  }

  const change = (id: RoomId, part: Partial<RoomView>): void => {
    const view = views.get(id)
    if (view === undefined) return
    views.set(id, summarise({ ...view, ...part }))
    changes.emit({ room: id })
  }
  const items = (id: RoomId): readonly RoomItem[] => views.get(id)?.items ?? []
  const patch = (id: RoomId, message: MessageId, part: Partial<RoomMessage> | Partial<RoomAnswer>): void => {
    change(id, {
      items: items(id).map((item) => (item.id === message ? ({ ...item, ...part } as RoomItem) : item)),
    })
  }
  const of = devices.length

  const ids = options.rooms.map((room) => add(room.name, room.people, room))
  const rooms: SharedRooms = {
    self: self.id,
    changes,
    problems: createEvents(() => {}),
    list: () => [...views.values()].map((view): RoomSummary => view).sort((a, b) => b.updatedAt - a.updatedAt),
    create({ name, people: chosen }) {
      const id = add(name, [self, ...people.filter((person) => chosen.includes(person.id))])
      changes.emit({ room: null })
      return Promise.resolve(id)
    },
    open: () => Promise.resolve(),
    close: () => Promise.resolve(),
    get: (id) => views.get(id),
    say(id, text, given = {}) {
      const device = options.devices[0]?.device
      if (device === undefined) return Promise.resolve(nextId())
      const delivery: Delivery = { kind: 'saved', of }
      const message = script.says(self, device, 0, text, { delivery, mentions: given.mentions ?? [] })
      change(id, { items: [...items(id), message] })
      setTimeout(() => {
        patch(id, message.id, { delivery: { kind: 'spread', devices: devices.slice(0, 2), of } })
      }, 400)
      if (given.mentions?.includes('ai') === true) {
        const answer = script.answers(self, device, 0, '', { state: 'waiting', writingHere: true, phase: 'loading' })
        change(id, { items: [...items(id), answer] })
      }
      return Promise.resolve(message.id)
    },
    edit(id, message, text) {
      patch(id, message, { text, edited: true })
      return Promise.resolve()
    },
    delete(id, message) {
      patch(id, message, { text: '', state: 'deleted', delivery: undefined })
      return Promise.resolve()
    },
    ask: () => Promise.resolve(nextId()),
    stop(id, answer) {
      patch(id, answer, { state: 'stopped', stoppedBy: self.id })
      return Promise.resolve()
    },
    hide(id, answer, hidden) {
      patch(id, answer, { hiddenBy: hidden ? self.id : undefined })
      return Promise.resolve()
    },
    rename(id, name) {
      change(id, { name })
      return Promise.resolve()
    },
    setRule(id, rule) {
      change(id, { rule })
      return Promise.resolve()
    },
    markSeen(id, messages) {
      const seen = new Set<string>(messages)
      change(id, {
        items: items(id).map((item) => (seen.has(item.id) && 'unread' in item ? { ...item, unread: false } : item)),
      })
    },
    markAllSeen(id) {
      change(id, { items: items(id).map((item) => ('unread' in item ? { ...item, unread: false } : item)) })
    },
    attend() {},
    keepCurrent: () => () => undefined,
    receipts: (id, message) => {
      const found = items(id).find((item) => item.id === message)
      const delivery = found?.kind === 'message' ? found.delivery : undefined
      const holds = delivery === undefined || delivery.kind === 'saved' ? [here] : delivery.devices
      return {
        devices: devices.map((device) => ({ device, holds: holds.includes(device) })),
        seenBy: delivery?.kind === 'seen' ? delivery.people : [],
      }
    },
    search(words, { room } = {}) {
      const wanted = words.toLowerCase()
      const found = [...views.values()]
        .filter((view) => room === undefined || view.id === room)
        .flatMap((view) =>
          view.items.flatMap((item) =>
            (item.kind === 'message' || item.kind === 'answer') && item.text.toLowerCase().includes(wanted)
              ? [{ room: view.id, message: item.id, excerpt: item.text.slice(0, 120) }]
              : [],
          ),
        )
      return Promise.resolve({ found: found.reverse(), whole: true })
    },
    read: () => Promise.resolve([]),
  }
  return {
    ids,
    port: {
      rooms,
      people: () => people,
      person: (id) => people.find((person) => person.id === id),
      device: (id) => {
        const found = options.devices.find(({ device }) => device.id === id)
        if (found === undefined) return undefined
        const { name, state, load } = found.device
        return { id, name, person: found.person.id, state, answers: load.slots > 0 }
      },
      changes: createEvents<void>(() => {}),
      isKnown: () => true,
    },
  }
}
