import { asId, createEvents, randomInt, type DocumentId, type Random } from '../../mesh/base/index.ts'
import {
  createDocuments,
  createSyncer,
  type Decoder,
  type Document,
  type DocumentName,
  type Documents,
  type SyncLinks,
  type Syncer,
  type SyncPorts,
} from '../../mesh/sync/index.ts'
import { createVirtualClock, settle, type VirtualClock } from './clock.ts'
import { createMemoryStore, tellingGaps, type MemoryStore } from './memory-store.ts'
import { createSeededRandom } from './random.ts'
import { createChannelNetwork, type ChannelNetwork } from './sync-channels.ts'
import { createTestScopes, scopeOf, syncPorts, type TestScopes } from './sync-peers.ts'

/** One device with its documents, which a test may stop and start again. */
export interface SyncPeer {
  readonly index: number
  readonly ports: SyncPorts
  readonly store: MemoryStore
  readonly documents: Documents
  readonly syncer: Syncer
  open(name: DocumentName): Promise<Document>
  stop(): Promise<void>
}

/** Devices of one make-believe mesh, all in one process and in virtual time. */
export interface SyncWorld {
  readonly scopes: TestScopes
  readonly clock: VirtualClock
  readonly network: ChannelNetwork
  readonly random: Random
  readonly peers: SyncPeer[]
  /** A device stops and comes back with what is on its disk. */
  restart(index: number, options?: { readonly online?: boolean }): Promise<SyncPeer>
  /** Lets everything happen that is going to. */
  calm(): Promise<void>
  stop(): Promise<void>
}

/** The documents the tests write into. */
export const ROOM: DocumentName = { id: asId<DocumentId>('room'), kind: 'operations', scope: scopeOf('mesh') }

/** A world of so many devices, all with all rights in `mesh`. */
export async function createSyncWorld(
  seed: number | string,
  count: number,
  options: { readonly online?: boolean; readonly decoder?: Decoder } = {},
): Promise<SyncWorld> {
  const random = createSeededRandom(seed)
  const clock = createVirtualClock()
  const scopes = createTestScopes(random, clock)
  const network = createChannelNetwork()
  const peers: SyncPeer[] = []
  const online = options.online ?? true

  const start = async (index: number, ports: SyncPorts, store: MemoryStore, isOnline: boolean): Promise<SyncPeer> => {
    const documents = await createDocuments(ports)
    const links: SyncLinks = network.join(ports.signer.id, () => syncer.host)
    const syncer: Syncer = createSyncer({ documents, links, ports })
    if (isOnline) syncer.start()
    return {
      index,
      ports,
      store,
      documents,
      syncer,
      open: (name) => documents.open(name.id, name),
      async stop() {
        network.leave(ports.signer.id)
        await syncer.stop()
        documents.stop()
      },
    }
  }

  for (let index = 0; index < count; index++) {
    const store = tellingGaps(createMemoryStore())
    const ports = await syncPorts({
      scopes,
      clock,
      store,
      random: createSeededRandom(`${String(seed)}/${String(index)}`),
      ...(options.decoder === undefined ? {} : { decoder: options.decoder }),
    })
    scopes.grant(ports.signer.id, 'mesh', ['read', 'write', 'store'])
    peers.push(await start(index, ports, store, online))
  }
  await scopes.rotate('mesh')

  const calm = async (): Promise<void> => {
    for (let quiet = 0; quiet < 3;) {
      const before = network.frames
      await settle(6)
      for (const peer of peers) await peer.documents.idle()
      quiet = network.frames === before ? quiet + 1 : 0
    }
  }

  return {
    scopes,
    clock,
    network,
    random,
    peers,
    calm,
    async restart(index, { online: isOnline = online } = {}) {
      const peer = peers[index] as SyncPeer
      await peer.stop()
      const store = tellingGaps(createMemoryStore(peer.store.data))
      const again = await start(index, { ...peer.ports, store }, store, isOnline)
      peers[index] = again
      return again
    },
    async stop() {
      for (const peer of peers) await peer.stop()
    },
  }
}

/** One of a list. */
export function pick<Item>(random: Random, items: readonly Item[]): Item {
  return items[randomInt(random, items.length)] as Item
}

/** What two devices with the same document agree on. */
export function stateOf(document: Document): unknown {
  const operations = [...document.operations()].map(
    ([id, { bytes, author, at }]) => [id, Buffer.from(bytes).toString('hex'), author, at] as const,
  )
  return {
    vector: [...document.vector()].sort(([a], [b]) => a - b),
    operations: operations.sort(([a], [b]) => (a < b ? -1 : 1)),
  }
}

/** Hub without a listener that could throw. */
export const quietEvents = <Event>(): ReturnType<typeof createEvents<Event>> =>
  createEvents<Event>((error) => {
    throw error
  })
