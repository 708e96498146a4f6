import { asMeshError, MeshError, type Logger, type PlatformStore } from '../mesh/base/index.ts'
import { openVault, type LockedVault, type OpenVault } from '../mesh/seal/index.ts'
import type { PeerPorts } from './peer/index.ts'
import { createBrowserKey, createVolatileStore, openIdbStore, webClock, webRandom } from './ports/index.ts'

/** What the peer is given to store in, and the vault where there is one. */
export interface OpenedStorage extends Pick<PeerPorts, 'store' | 'storage' | 'storageProblem'> {
  readonly vault?: OpenVault
}

/** What opening the storage of this page needs. */
export interface StorageOptions {
  /** One name per origin. */
  readonly name: string
  readonly log: Logger
  readonly locks: LockManager
  readonly onBlocked: (error: MeshError) => void
  /** Waits until the person has opened it. */
  readonly unlock: (vault: LockedVault) => Promise<OpenVault>
}

/** The sealed store of this browser, or, where it refuses one, a volatile one with the reason. */
export async function openStorage(options: StorageOptions): Promise<OpenedStorage> {
  const { log } = options
  let inner: PlatformStore
  try {
    inner = await openIdbStore(options)
    // some private windows open a database and fail at the first use
    await inner.get('probe')
  } catch (error) {
    const reason = asMeshError(error, 'storage-failed')
    log.warn('this browser refuses to store', { code: reason.code })
    const sentence = 'This browser refuses to store anything here: what you write is gone when the tab closes.'
    return volatile(new MeshError('storage-failed', sentence, { cause: reason }))
  }
  try {
    const vault = await openSealed(inner, options)
    return { store: vault.store, storage: 'durable', vault }
  } catch (error) {
    const reason = asMeshError(error, 'storage-failed')
    log.error('what is stored did not open', { code: reason.code, error })
    await inner.close()
    return volatile(unreadable(reason))
  }
}

/** What is stored cannot be read: it is left as it is, and said. */
export function unreadable(cause: MeshError): MeshError {
  const sentence =
    'What is stored here could not be read. It is left as it is; what you write now is gone when the tab closes.'
  return new MeshError('storage-corrupt', sentence, { cause })
}

async function openSealed(inner: PlatformStore, { name, log, locks, unlock }: StorageOptions): Promise<OpenVault> {
  const vault = await openVault({
    inner,
    device: createBrowserKey(`${name}-key`, webRandom),
    random: webRandom,
    clock: webClock,
    log,
    // the tabs of one browser share the store
    alone: async (work) => locks.request(`${name}-vault`, work),
  })
  return vault.state === 'open' ? vault : unlock(vault)
}

function volatile(storageProblem: MeshError): OpenedStorage {
  return { store: createVolatileStore(), storage: 'volatile', storageProblem }
}
