import { createChatDocuments } from '../../mesh/chat-documents.ts'
import {
  asId,
  createEvents,
  silentLogger,
  SYNC_RETRY_MS,
  type Clock,
  type DeviceId,
  type MeshError,
  type Random,
} from '../../mesh/base/index.ts'
import {
  createChatMirror,
  createChats,
  type ChatDocuments,
  type ChatMirror,
  type Chats,
} from '../../mesh/state/index.ts'
import { createChatNetwork, type ChatNetwork, type TestChatDocuments } from './chat-network.ts'
import { createVirtualClock, settle, type VirtualClock } from './clock.ts'
import { createMemoryStore, type MemoryStore } from './memory-store.ts'
import { createSeededRandom } from './random.ts'
import { scopeOf } from './sync-peers.ts'
import { createSyncWorld, type SyncPeer, type SyncWorld } from './sync-world.ts'

/** A device of one person with its chats and their mirror, as a page and its mesh have them over one store. */
export interface ChatDevice {
  readonly self: DeviceId
  readonly chats: Chats
  readonly mirror: ChatMirror
  readonly problems: MeshError[]
  readonly store: MemoryStore
}

const raise = (error: unknown): never => {
  throw error
}

async function openDevice(
  documents: ChatDocuments,
  store: MemoryStore,
  clock: Clock,
  random: Random,
): Promise<ChatDevice> {
  const { self } = documents
  const chats = await createChats({
    ...{ store, clock, random, log: silentLogger, self: () => self },
    writers: { find: () => ({ name: 'another', isLinked: true }), changes: createEvents<void>(raise) },
  })
  await chats.closeAbandoned()
  const mirror = createChatMirror({ store, clock, log: silentLogger, documents })
  const problems: MeshError[] = []
  mirror.problems.subscribe((problem) => problems.push(problem))
  mirror.changes.subscribe((chat) => {
    chats.refresh({ chat }).catch(() => undefined)
  })
  chats.changes.subscribe(({ chat, stored }) => {
    if (stored && chat !== null) mirror.wrote(chat)
  })
  mirror.start()
  return { self, chats, mirror, problems, store }
}

/** Nothing more of a device reaches its disk, as when its power is cut. */
function cutOff(store: MemoryStore): void {
  store.failWrites({ code: 'storage-failed', atWrite: 1, count: Infinity })
}

const later = (clock: Clock, byMs: number): Clock => ({ ...clock, now: () => clock.now() + byMs })

/** Devices of one person over documents that arrive in any order. */
export interface ChatScene {
  readonly devices: ChatDevice[]
  readonly documents: TestChatDocuments[]
  readonly network: ChatNetwork
  readonly clock: VirtualClock
  readonly random: Random
  /** A device ends without a word and comes back with what is on its disk. */
  restart(index: number): Promise<ChatDevice>
  /** Lets everything happen that is going to between devices that are linked. */
  calm(): Promise<void>
}

/** Opens devices whose clocks are this far off, in ms. */
export async function openChatScene(seed: number | string, clocks: readonly number[]): Promise<ChatScene> {
  const random = createSeededRandom(seed)
  const network = createChatNetwork(random)
  const clock = createVirtualClock()
  let runs = 0
  const ids = clocks.map((_, index) => asId<DeviceId>(`12D3KooWDevice${String(index)}`))
  const documents = ids.map((id) => network.device(id))
  const open = (index: number, store: MemoryStore): Promise<ChatDevice> =>
    openDevice(
      documents[index] as TestChatDocuments,
      store,
      later(clock, clocks[index] ?? 0),
      createSeededRandom(`${String(seed)} ${String(index)} ${String(runs++)}`),
    )
  const devices = await Promise.all(ids.map((_, index) => open(index, createMemoryStore())))
  return {
    ...{ devices, documents, network, clock, random },
    async restart(index) {
      const { store, mirror } = devices[index] as ChatDevice
      cutOff(store)
      await mirror.stop()
      const id = ids[index] as DeviceId
      documents[index] = network.device(id)
      const device = await open(index, createMemoryStore(store.data))
      devices[index] = device
      return device
    },
    async calm() {
      do {
        network.deliver()
        for (const { mirror } of devices) await mirror.idle()
      } while (network.waiting > 0)
      for (const { chats } of devices) await chats.refresh()
    },
  }
}

/** As {@link ChatScene}, over the documents of the product and their sessions. */
export interface ChatWorld {
  readonly sync: SyncWorld
  readonly devices: ChatDevice[]
  restart(index: number): Promise<ChatDevice>
  calm(): Promise<void>
  stop(): Promise<void>
}

/** Opens devices whose clocks are this far off, in ms. */
export async function createChatWorld(seed: number | string, clocks: readonly number[]): Promise<ChatWorld> {
  const sync = await createSyncWorld(seed, clocks.length)
  let runs = 0
  const open = (index: number, peer: SyncPeer): Promise<ChatDevice> => {
    const { store, documents, ports } = peer
    const self = ports.signer.id
    const place = { scope: scopeOf('mesh'), prefix: 'chat-test-', keys: '' }
    const placeChanges = createEvents<void>(raise)
    return openDevice(
      createChatDocuments({ self, documents, log: silentLogger, place: () => place, placeChanges }),
      store,
      later(sync.clock, clocks[index] ?? 0),
      createSeededRandom(`${String(seed)} ${String(index)} ${String(runs++)}`),
    )
  }
  const devices = await Promise.all(sync.peers.map((peer, index) => open(index, peer)))
  return {
    ...{ sync, devices },
    async restart(index) {
      const { store, mirror } = devices[index] as ChatDevice
      cutOff(store)
      await mirror.stop()
      const device = await open(index, await sync.restart(index))
      devices[index] = device
      return device
    },
    async calm() {
      // sessions that were cut are opened again after a pause
      await sync.clock.advanceAsync(SYNC_RETRY_MS)
      for (let quiet = 0; quiet < 2;) {
        const before = sync.network.frames
        await sync.calm()
        for (const { mirror } of devices) await mirror.idle()
        await settle(2)
        quiet = sync.network.frames === before ? quiet + 1 : 0
      }
      for (const { chats } of devices) await chats.refresh()
    },
    async stop() {
      for (const { mirror } of devices) await mirror.stop()
      await sync.stop()
    },
  }
}
