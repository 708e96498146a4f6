import {
  asMeshError,
  createEvents,
  getWhole,
  MeshError,
  type Clock,
  type EventSource,
  type Logger,
  type Random,
  type Store,
} from '../../mesh/base/index.ts'
import type { Mesh } from '../../mesh/mesh-types.ts'
import { makeDeviceName } from './device-name.ts'

const NAME_KEY = 'page/device-name'
const NAME_MAX_BYTES = 240

/** What {@link OpenMesh} is given. */
export interface OpenMeshOptions {
  readonly store: Store
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
  readonly deviceName: string
  readonly signal: AbortSignal
}

/** Starts the mesh of this device. */
export type OpenMesh = (options: OpenMeshOptions) => Promise<Mesh>

/** What the mesh of a tab stands on. */
export type OwnMeshPorts = Omit<OpenMeshOptions, 'deviceName' | 'signal'> & { readonly openMesh: OpenMesh }

/** The mesh of this tab, which it runs while it leads. */
export interface OwnMesh {
  /** `mesh` or `problem` changed. */
  readonly changes: EventSource<void>
  mesh(): Mesh | undefined
  /** Why it did not start. */
  problem(): MeshError | undefined
  /** Starts it; does nothing when it runs or starts. A failure is in `problem`. */
  start(): Promise<void>
  /** Ends it, or its start. */
  stop(): Promise<void>
}

/** Makes an {@link OwnMesh} that does not run yet. */
export function createOwnMesh(ports: OwnMeshPorts): OwnMesh {
  const { store, clock, random, log } = ports
  const changes = createEvents<void>((error) => {
    log.error('a listener failed', { error })
  })
  let current: Mesh | undefined
  let problem: MeshError | undefined
  let opening: AbortController | undefined
  let endEvents: (() => void) | undefined
  let keptName: string | undefined

  const keepName = (name: string): void => {
    if (name === keptName) return
    keptName = name
    store.put(NAME_KEY, new TextEncoder().encode(name)).catch((error: unknown) => {
      keptName = undefined
      log.warn('the name of this device could not be stored', { error })
    })
  }

  const loadName = async (): Promise<string> => {
    const bytes = await getWhole(store, NAME_KEY, log)
    if (bytes !== undefined && bytes.length <= NAME_MAX_BYTES) return new TextDecoder().decode(bytes)
    const name = makeDeviceName(random)
    keepName(name)
    return name
  }

  const open = async (own: AbortController): Promise<void> => {
    const deviceName = await loadName()
    const { signal } = own
    const mesh = await ports.openMesh({ store, clock, random, log, deviceName, signal })
    if (signal.aborted) {
      await mesh.stop()
      return
    }
    endEvents = mesh.events.subscribe((event) => {
      if (event.type === 'device-changed' && event.device.id === mesh.self) keepName(event.device.name)
    })
    current = mesh
    changes.emit()
  }

  return {
    changes,
    mesh: () => current,
    problem: () => problem,
    async start() {
      if (opening !== undefined || current !== undefined) return
      const own = new AbortController()
      opening = own
      if (problem !== undefined) {
        problem = undefined
        changes.emit()
      }
      try {
        await open(own)
      } catch (error) {
        if (own.signal.aborted) return
        problem = asMeshError(error)
        log.error('the peer did not start', { code: problem.code, error })
        changes.emit()
      } finally {
        if (opening === own) opening = undefined
      }
    },
    async stop() {
      opening?.abort(new MeshError('aborted', 'Stopped.'))
      opening = undefined
      endEvents?.()
      endEvents = undefined
      const mesh = current
      if (mesh === undefined) return
      current = undefined
      changes.emit()
      await mesh.stop()
    },
  }
}
