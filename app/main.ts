import './jitless.ts'
import './theme/index.ts'
import { mount } from 'svelte'
import { asMeshError, createEvents, MeshError, type Logger, type Store } from '../mesh/base/index.ts'
import { createAppPeer, openMesh, type AppPeer, type PeerPorts } from './peer/index.ts'
import {
  createConsoleLog,
  createLoneChannel,
  createVolatileStore,
  createWebChannel,
  createWebLock,
  openIdbStore,
  registerServiceWorker,
  takeJoinLink,
  watchJoinLinks,
  watchPageLife,
  webClock,
  webRandom,
} from './ports/index.ts'
import { Shell } from './shell/index.ts'

/** One name per origin: profile data, its lock and its channel. */
const PROFILE = 'plexus'

// first of all: the link carries a secret that must not stay in the address
const link = takeJoinLink(window)
const log = createConsoleLog()

await start()

/** The composition root: ports of the browser, the peer over them, the shell over the peer. */
async function start(): Promise<void> {
  const troubles = createEvents<MeshError>((error) => {
    log.error('a listener failed', { error })
  })
  const storage = await openStorage(log, (error) => {
    troubles.emit(error)
  })
  const ports: PeerPorts = {
    ...storage,
    storageTrouble: troubles,
    // a tab that may not store shares nothing with the others
    locks: createWebLock(PROFILE, storage.storage === 'durable' ? navigator.locks : undefined),
    channel: storage.storage === 'durable' ? createWebChannel(PROFILE) : createLoneChannel(),
    clock: webClock,
    random: webRandom,
    log,
    life: watchPageLife(window, log),
    openMesh,
  }
  const peer = await openPeer(ports)
  watchJoinLinks(window, (opened) => {
    peer.offer(opened)
  })
  const target = document.getElementById('app')
  if (target === null) throw new MeshError('bug', 'The page has no place to show itself in.')
  const updates = import.meta.env.PROD ? registerServiceWorker(window, './sw.js', log) : undefined
  mount(Shell, { target, props: { peer, about: { version: __APP_VERSION__, updates } } })
}

/** The peer over the durable store; where its chats cannot be read at all, one that says so and still works. */
async function openPeer(ports: PeerPorts): Promise<AppPeer> {
  try {
    return await createAppPeer(ports, { link })
  } catch (error) {
    const reason = asMeshError(error, 'storage-failed')
    log.error('the chats could not be read', { code: reason.code, error })
    const sentence =
      'What is stored here could not be read. It is left as it is; what you write now is gone when the tab closes.'
    const storageProblem = new MeshError('storage-corrupt', sentence, { cause: reason })
    const locks = createWebLock(PROFILE, undefined)
    return createAppPeer(
      {
        ...ports,
        store: createVolatileStore(),
        storage: 'volatile',
        storageProblem,
        locks,
        channel: createLoneChannel(),
      },
      { link },
    )
  }
}

/** The durable store, or, where the browser refuses one, a volatile one with the reason. */
async function openStorage(
  log: Logger,
  onBlocked: (error: MeshError) => void,
): Promise<Pick<PeerPorts, 'store' | 'storage' | 'storageProblem'>> {
  let store: Store
  try {
    store = await openIdbStore({ name: PROFILE, log, onBlocked })
    // some private windows open a database and fail at the first use
    await store.get('probe')
    return { store, storage: 'durable' }
  } catch (error) {
    const reason = asMeshError(error, 'storage-failed')
    log.warn('this browser refuses to store', { code: reason.code })
    const sentence = 'This browser refuses to store anything here: what you write is gone when the tab closes.'
    const storageProblem = new MeshError('storage-failed', sentence, { cause: reason })
    return { store: createVolatileStore(), storage: 'volatile', storageProblem }
  }
}
