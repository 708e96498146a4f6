import {
  asId,
  createEvents,
  createQueue,
  silentLogger,
  type AsyncQueue,
  type DeviceId,
  type MeshError,
  type PersonId,
  type RoomId,
} from '../../../mesh/base/index.ts'
import type { AskEvent, AskRequest } from '../../../mesh/route/index.ts'
import {
  createRooms,
  type RoomAnswer,
  type RoomHistory,
  type RoomMessage,
  type RoomRecord,
  type Rooms,
  type RoomView,
} from '../../../mesh/state/index.ts'
import { createVirtualClock, settle, type VirtualClock } from '../../kit/clock.ts'
import { createMemoryStore, type MemoryStore } from '../../kit/memory-store.ts'
import { createSeededRandom } from '../../kit/random.ts'
import { createRoomNetwork, type RoomNetwork, type TestDocument } from '../../kit/room-documents.ts'
import { route } from './scene.ts'

/** The people of the scenes, with their devices. */
export const PERSONAS = {
  alice: ['alice-phone', 'alice-laptop'],
  bob: ['bob-phone'],
  carol: ['carol-phone'],
  mallory: ['mallory-phone'],
} as const

/** A name of {@link PERSONAS}. */
export type Persona = keyof typeof PERSONAS
/** A device of one of them. */
export type PersonaDevice = (typeof PERSONAS)[Persona][number]

/** The only room of a scene. */
export const ROOM = asId<RoomId>('room')

/** The id of a persona: 32 hex digits. */
export function personId(name: Persona): PersonId {
  return asId<PersonId>((Object.keys(PERSONAS).indexOf(name) + 1).toString(16).repeat(32))
}

const OWNERS = new Map<string, Persona>(
  Object.entries(PERSONAS).flatMap(([name, devices]) => devices.map((device) => [device, name as Persona])),
)

/** Whose a device of the scene is. */
export function personOf(device: DeviceId): PersonId | undefined {
  const owner = OWNERS.get(device)
  return owner === undefined ? undefined : personId(owner)
}

/** An engine that says what a test tells it to. */
export interface ScriptedAsk {
  readonly request: AskRequest
  readonly events: AsyncQueue<AskEvent>
  readonly signal: AbortSignal
}

/** One device in a room. */
export interface RoomMember {
  readonly device: DeviceId
  readonly rooms: Rooms
  readonly document: TestDocument
  readonly store: MemoryStore
  readonly asks: ScriptedAsk[]
  readonly problems: MeshError[]
  view(): RoomView
  messages(): (RoomMessage | RoomAnswer)[]
  /** The text of every line, from above, as a person reads it. */
  texts(): string[]
  /** The one message with this text. */
  find(text: string): RoomMessage | RoomAnswer
}

/** A room of several people in virtual time. */
export interface RoomScene {
  readonly clock: VirtualClock
  readonly network: RoomNetwork
  /** Opens the room on a device; again after `crash` it is another run over the same disk. */
  member(device: PersonaDevice): Promise<RoomMember>
  /** Delivers everything and lets it be heard. */
  calm(): Promise<void>
}

/** What a scene may differ in. */
export interface RoomSceneOptions {
  readonly seed?: number
  readonly history?: RoomHistory
  /** ms after the room was made at which a person joined; absent: at once. */
  readonly joined?: Partial<Record<Persona, number>>
}

/** Makes a scene; nobody has opened the room yet. */
export function createRoomScene(options: RoomSceneOptions = {}): RoomScene {
  const clock = createVirtualClock()
  const seed = options.seed ?? 1
  const network = createRoomNetwork(createSeededRandom(`network ${String(seed)}`), clock)
  const stores = new Map<string, MemoryStore>()
  const createdAt = clock.now()
  let runs = 0
  const record: RoomRecord = {
    id: ROOM,
    history: options.history ?? 'all',
    createdAt,
    createdBy: personId('alice'),
    people: (Object.keys(PERSONAS) as Persona[]).map((name) => ({
      person: personId(name),
      since: createdAt + (options.joined?.[name] ?? 0),
    })),
    devices: Object.values(PERSONAS)
      .flat()
      .map((device) => asId<DeviceId>(device)),
  }

  const member = async (name: PersonaDevice): Promise<RoomMember> => {
    const device = asId<DeviceId>(name)
    const store = stores.get(name) ?? createMemoryStore()
    stores.set(name, store)
    const document = network.document(device)
    const asks: ScriptedAsk[] = []
    const problems: MeshError[] = []
    const rooms = await createRooms({
      self: device,
      store,
      clock,
      random: createSeededRandom(`${name} ${String(seed)} ${String(runs++)}`),
      log: silentLogger,
      directory: {
        self: personOf(device) ?? personId('alice'),
        list: () => [record],
        create: () => Promise.resolve(ROOM),
        leave: () => Promise.resolve(),
        personOf,
        nameOf: (person) => (Object.keys(PERSONAS) as Persona[]).find((each) => personId(each) === person),
        changes: createEvents<void>(() => undefined),
      },
      openDocument: () => Promise.resolve(document),
      ask(request, { signal }) {
        const events = createQueue<AskEvent>(10_000)
        asks.push({ request, events, signal })
        return events
      },
    })
    rooms.problems.subscribe((error) => problems.push(error))
    await rooms.open(ROOM)
    const view = (): RoomView => {
      const shown = rooms.get(ROOM)
      if (shown === undefined) throw new TypeError('the room is not open')
      return shown
    }
    const messages = (): (RoomMessage | RoomAnswer)[] =>
      view().items.filter((item) => item.kind === 'message' || item.kind === 'answer')
    return {
      device,
      rooms,
      document,
      store,
      asks,
      problems,
      view,
      messages,
      texts: () => messages().map((message) => message.text),
      find(text) {
        const found = messages().filter((message) => message.text === text)
        if (found.length !== 1 || found[0] === undefined) throw new TypeError(`${String(found.length)} times: ${text}`)
        return found[0]
      },
    }
  }

  return {
    clock,
    network,
    member,
    async calm() {
      await settle()
      for (let round = 0; round < 4; round++) {
        network.deliverAll()
        await settle()
      }
    },
  }
}

/** Plays a whole answer into an ask. */
export function answerWith(ask: ScriptedAsk, texts: readonly string[]): void {
  ask.events.push({ type: 'route', route })
  for (const text of texts) ask.events.push({ type: 'text', text, tokenCount: 1 })
  ask.events.push({
    type: 'end',
    finish: 'stop',
    usage: { promptTokens: 10, cachedTokens: 0, completionTokens: texts.length },
    timings: { queueMs: 0, prefillMs: 1, firstTokenMs: 2, decodeMs: 3 },
    bytesSent: 99,
  })
  ask.events.end()
}
