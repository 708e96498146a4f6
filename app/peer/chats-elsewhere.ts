import {
  createEvents,
  getWhole,
  type DeviceId,
  type EventSource,
  type Logger,
  type MeshError,
  type Store,
} from '../../mesh/base/index.ts'
import { markOf, type AnswerWriters, type Chats } from '../../mesh/state/index.ts'
import type { SharedMesh } from './app-peer.ts'
import type { ChatNews } from './chat-news.ts'
import type { OwnMesh } from './own-mesh.ts'

const SELF_KEY = 'page/device'
const SELF_MAX_BYTES = 128

/** Which device this is, also before the mesh runs, and who of the others writes answers. */
export interface Devices extends AnswerWriters {
  /** Undefined in a profile whose mesh never ran. */
  self(): DeviceId | undefined
  /** The mesh of this profile, here or as the leading tab tells it; undefined: it does not run. */
  meshIs(mesh: SharedMesh | undefined): void
}

/** What following the other devices of the person stands on. */
export interface ElsewherePorts {
  readonly own: OwnMesh
  readonly chats: Chats
  readonly news: ChatNews
}

/** Reads which device this profile is. @throws MeshError of the store */
export async function loadDevices(store: Store, log: Logger): Promise<Devices> {
  const changes = createEvents<void>((error) => {
    log.error('a listener failed', { error })
  })
  const stored = await getWhole(store, SELF_KEY, log)
  let self =
    stored === undefined || stored.byteLength > SELF_MAX_BYTES
      ? undefined
      : (new TextDecoder().decode(stored) as DeviceId)
  let mesh: SharedMesh | undefined
  let endEvents: (() => void) | undefined

  const keepSelf = (id: DeviceId): void => {
    if (id === self) return
    self = id
    // a tab that does not lead is refused the write, and its leader has done it
    store.put(SELF_KEY, new TextEncoder().encode(id)).catch((error: unknown) => {
      log.debug('which device this is was not kept by this tab', { error })
    })
  }

  return {
    changes,
    self: () => self,
    meshIs(next) {
      if (next === mesh) return
      mesh = next
      endEvents?.()
      endEvents = next?.events.subscribe(({ type }) => {
        if (type.startsWith('device-')) changes.emit()
      })
      if (next !== undefined) keepSelf(next.self)
      changes.emit()
    },
    find(mark) {
      if (mesh === undefined) return undefined
      const device = mesh.devices().find(({ id }) => markOf(id) === mark)
      return device === undefined ? 'gone' : { name: device.name, isLinked: device.state === 'online' }
    },
  }
}

/** Tells the mesh of this tab what is written into the chats, and the tabs what came from other devices. */
export function followElsewhere({ own, chats, news }: ElsewherePorts): {
  readonly problems: EventSource<MeshError>
  end(): void
} {
  const problems = createEvents<MeshError>(() => undefined)
  let ends: readonly (() => void)[] = []
  let mesh = own.mesh()
  const follow = (): void => {
    if (own.mesh() === mesh) return
    mesh = own.mesh()
    for (const end of ends) end()
    ends =
      mesh === undefined
        ? []
        : [mesh.chats.changes.subscribe(news.arrived), mesh.chats.problems.subscribe(problems.emit)]
  }
  const endChats = chats.changes.subscribe(({ chat, stored }) => {
    if (stored && chat !== null) mesh?.chats.wrote(chat)
  })
  const endOwn = own.changes.subscribe(follow)
  return {
    problems,
    end() {
      for (const end of [...ends, endChats, endOwn]) end()
    },
  }
}
