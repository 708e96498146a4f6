import type { AppPeer } from '../../../app/peer/app-peer.ts'
import type { OpenMeshOptions } from '../../../app/peer/own-mesh.ts'
import { createAppPeer, type LifeEvent } from '../../../app/peer/peer.ts'
import {
  asId,
  createEvents,
  MeshError,
  silentLogger,
  type DeviceId,
  type EventHub,
  type Store,
} from '../../../mesh/base/index.ts'
import { createVirtualClock, settle, type VirtualClock } from '../../kit/clock.ts'
import type { Door } from '../../../mesh/mesh-types.ts'
import type { MeshRooms } from '../../../mesh/rooms-types.ts'
import { createMemoryData, createMemoryStore, type MemoryData, type MemoryStore } from '../../kit/memory-store.ts'
import { createSeededRandom } from '../../kit/random.ts'
import { createProfile, type Profile, type Tab } from './tabs.ts'
import { createTestMesh, type TestMesh } from './test-mesh.ts'

/** One tab with its peer. */
export interface Page {
  readonly tab: Tab
  readonly peer: AppPeer
  readonly store: MemoryStore
  readonly life: EventHub<LifeEvent>
  /** Meshes opened in this tab, oldest first. */
  readonly meshes: TestMesh[]
  readonly openings: OpenMeshOptions[]
  mesh(): TestMesh
}

/** A browser profile in virtual time. */
export interface Browser {
  readonly clock: VirtualClock
  readonly profile: Profile
  readonly data: MemoryData
  openPage(options?: {
    link?: string
    failFirst?: MeshError
    deaf?: boolean
    refuseLink?: (link: string) => MeshError | undefined
    guest?: boolean
    /** What the page is given in the place of its store. */
    over?: (store: Store) => Store
  }): Promise<Page>
}

/** The helper the pages of a browser came from. */
export const DOOR: Door = { device: asId<DeviceId>('12D3KooWDesk'), addresses: ['/ip4/127.0.0.1/tcp/9/ws'] }

/** Hears of every write before it is done: which tab, and the key or log. */
export type WriteWatch = (tab: Tab, place: string) => void

/** The store with every write told. */
function watched(store: MemoryStore, tab: Tab, watch: WriteWatch | undefined): Store {
  if (watch === undefined) return store
  const told =
    <Given extends [string, ...unknown[]], Result>(write: (...given: Given) => Result) =>
    (...given: Given): Result => {
      watch(tab, given[0])
      return write(...given)
    }
  return {
    ...store,
    put: told(store.put),
    delete: told(store.delete),
    append: told(store.append),
    dropLog: told(store.dropLog),
  }
}

/** A profile without tabs yet. */
export function openBrowser(
  watch?: WriteWatch,
  openRooms?: (options: OpenMeshOptions, tab: Tab) => Promise<MeshRooms>,
): Browser {
  const clock = createVirtualClock()
  const profile = createProfile(clock)
  const data = createMemoryData()
  let seed = 1
  return {
    clock,
    profile,
    data,
    async openPage({ link, failFirst, deaf, refuseLink, guest, over = (given: Store): Store => given } = {}) {
      const tab = profile.openTab()
      const store = createMemoryStore(data)
      const life = createEvents<LifeEvent>(() => undefined)
      const meshes: TestMesh[] = []
      const openings: OpenMeshOptions[] = []
      const peer = await createAppPeer(
        {
          store: tab.disk(over(watched(store, tab, watch))),
          storage: 'durable',
          refuseLink,
          guest,
          ...tab,
          random: createSeededRandom(seed++),
          findHelper: () => Promise.resolve(DOOR),
          log: silentLogger,
          life,
          async openMesh(options) {
            openings.push(options)
            if (failFirst !== undefined && openings.length === 1) throw failFirst
            const rooms = await openRooms?.(options, tab)
            const mesh = createTestMesh({ deaf: deaf === true, rooms })
            meshes.push(mesh)
            return mesh
          },
        },
        { link },
      )
      await settle()
      const mesh = (): TestMesh => {
        const last = meshes.at(-1)
        if (last === undefined) throw new MeshError('bug', 'This page opened no mesh.')
        return last
      }
      return { tab, peer, store, life, meshes, openings, mesh }
    },
  }
}
