import { MeshError, type Clock, type PlatformStore } from '../../mesh/base/index.ts'
import { secretKey, type DeviceKeeper, type VaultPorts } from '../../mesh/seal/index.ts'
import { createVirtualClock } from './clock.ts'
import { createMemoryData, createMemoryStore, type MemoryData } from './memory-store.ts'
import { createSeededRandom } from './random.ts'

/** The least a passphrase may cost: tests make many. */
export const CHEAP = { memoryKib: 19_456, passes: 2 }

/** Everything of a device that outlives its process: the store, and the key beside it. */
export interface VaultDisk {
  readonly data: MemoryData
  deviceKey: Uint8Array | undefined
}

/** An empty disk. */
export function createVaultDisk(): VaultDisk {
  return { data: createMemoryData(), deviceKey: undefined }
}

/** One process over a disk. */
export interface VaultProcess {
  readonly ports: VaultPorts
  readonly inner: PlatformStore
  /** Durable writes so far, to the store or of the key. */
  readonly writes: () => number
}

const random = createSeededRandom('vault')

/**
 * A process that dies at its `killAt`-th durable write (the first is 1): that write
 * and all after it do not happen.
 */
export function startVaultProcess(disk: VaultDisk, options: { killAt?: number; clock?: Clock } = {}): VaultProcess {
  let writes = 0
  const write = async <Value>(work: () => Promise<Value> | Value): Promise<Value> => {
    writes += 1
    if (writes >= (options.killAt ?? Infinity)) throw new MeshError('storage-failed', 'This process was killed.')
    return work()
  }
  const store = createMemoryStore(disk.data)
  const inner: PlatformStore = {
    ...store,
    put: (...given) => write(() => store.put(...given)),
    delete: (...given) => write(() => store.delete(...given)),
    append: (...given) => write(() => store.append(...given)),
    dropLog: (...given) => write(() => store.dropLog(...given)),
    scrub: (...given) => write(() => store.scrub(...given)),
  }
  const device: DeviceKeeper = {
    load: async () => (disk.deviceKey === undefined ? undefined : secretKey(disk.deviceKey)),
    make: () =>
      write(() => {
        disk.deviceKey = random.bytes(32)
        return secretKey(disk.deviceKey)
      }),
    forget: () =>
      write(() => {
        disk.deviceKey = undefined
      }),
  }
  const clock = options.clock ?? createVirtualClock()
  return { ports: { inner, device, random, clock, alone: (work) => work(), cost: CHEAP }, inner, writes: () => writes }
}
