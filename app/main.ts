import './jitless.ts'
import './theme/index.ts'
import { mount, unmount } from 'svelte'
import { asMeshError, createEvents, MeshError } from '../mesh/base/index.ts'
import type { LockedVault, OpenVault } from '../mesh/seal/index.ts'
import { createPageLock, createPageUnlock } from './lock/index.ts'
import { openStorage, unreadable } from './open-storage.ts'
import { createAppPeer, openMesh, type AppPeer, type PeerPorts } from './peer/index.ts'
import {
  cameFromHelper,
  canBeTaken,
  checkOrigin,
  createConsoleLog,
  createHelperPage,
  createLoneChannel,
  createVolatileStore,
  createWebChannel,
  createWebLock,
  openSealedMemory,
  createWebPasskeys,
  findOwnHelper,
  howPageWasOpened,
  isOriginKnown,
  pageAddress,
  registerServiceWorker,
  takeJoinLink,
  trustOrigin,
  type OriginVerdict,
  watchInstall,
  watchJoinLinks,
  watchPageLife,
  webClock,
  webRandom,
  wipeBrowser,
} from './ports/index.ts'
import { OtherServer, Shell, Unlock } from './shell/index.ts'
import { createBrowserMemory, localStorageOf, Preferences, type Memory } from './state/index.ts'
import { applyLook } from './theme/look.ts'

/** One name per origin: profile data, its lock and its channel. */
const PROFILE = 'plexus'

// first of all: the link carries a secret that must not stay in the address
const link = takeJoinLink(window)
const opened = howPageWasOpened(window)
const log = createConsoleLog()
const helper = createHelperPage(window, () => {
  const memory = localStorageOf(window)
  return cameFromHelper(window) || (memory !== undefined && isOriginKnown(memory))
})
// the browser says once, and early, that it would install the page
const install = watchInstall(window, log)
const passkeys = createWebPasskeys(window, webRandom)

// before anything is opened, and before the browser is asked to take a newer version from there
const origin = await whoServes()
// a locked page is kept here too
const updates =
  import.meta.env.PROD && origin.kind !== 'other'
    ? registerServiceWorker(window, './sw.js', log, { isAlone: origin.kind === 'own' })
    : undefined

await start()

/**
 * Plain HTTP from the network: anybody on it could have altered this page. It keeps
 * nothing, no identity either, and joins as a guest or not at all.
 */
function guestPorts(): Pick<PeerPorts, 'store' | 'storage' | 'guest' | 'refuseLink' | 'findHelper'> {
  const refusal = (): MeshError =>
    new MeshError(
      'unsupported',
      'This page came without protection, so it takes no invitation: somebody on this network could read it. Open the link on a protected page.',
    )
  return {
    store: createVolatileStore(),
    storage: 'volatile',
    guest: true,
    refuseLink: (offered) => (helper.isPass(offered) ? undefined : refusal()),
    // words typed for it would make it a device of a member
    findHelper: () => Promise.reject(refusal()),
  }
}

/** The composition root: ports of the browser, the peer over them, the shell over the peer. */
async function start(): Promise<void> {
  const troubles = createEvents<MeshError>((error) => {
    log.error('a listener failed', { error })
  })
  const target = document.getElementById('app')
  if (target === null) throw new MeshError('bug', 'The page has no place to show itself in.')
  if (origin.kind === 'other') {
    refuse(origin.device, target)
    return
  }
  const isGuest = !window.isSecureContext
  const { vault, ...storage } = isGuest
    ? { ...guestPorts(), vault: undefined }
    : await openStorage({
        name: PROFILE,
        log,
        locks: navigator.locks,
        onBlocked: (error) => {
          troubles.emit(error)
        },
        unlock: (locked) => unlock(locked, target),
      })
  const ports: PeerPorts = {
    findHelper: findOwnHelper({ origin: location.origin, fetch: (...given) => fetch(...given) }),
    ...storage,
    storageTrouble: troubles,
    // a tab that may not store shares nothing with the others
    locks: createWebLock(PROFILE, storage.storage === 'durable' ? navigator.locks : undefined),
    channel: storage.storage === 'durable' ? createWebChannel(PROFILE) : createLoneChannel(),
    clock: webClock,
    random: webRandom,
    log,
    life: watchPageLife(window, log),
    page: pageAddress(location),
    openMesh,
  }
  const peer = await openPeer(ports)
  watchJoinLinks(window, (led) => {
    // a link in what somebody wrote does it too
    peer.offer(led, 'unknown')
  })
  const lock = vault === undefined ? undefined : createPageLock(vault, { passkeys, random: webRandom, log })
  const drafts = await openDrafts(storage)
  const keeping = { storage: isGuest ? undefined : navigator.storage, install }
  const wipe = (): Promise<void> => wipeBrowser({ window, prefix: PROFILE, close: () => peer.close() })
  const about = { version: __APP_VERSION__, updates, helper, wipe: isGuest ? undefined : wipe }
  mount(Shell, { target, props: { peer, lock, keeping, drafts, about } })
}

/** The peer over the durable store; where its chats cannot be read at all, one that says so and still works. */
async function openPeer(ports: PeerPorts): Promise<AppPeer> {
  try {
    return await createAppPeer(ports, { link, opened })
  } catch (error) {
    const reason = asMeshError(error, 'storage-failed')
    log.error('the chats could not be read', { code: reason.code, error })
    const storageProblem = unreadable(reason)
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
      { link, opened },
    )
  }
}

/** What was being written; where it cannot be read, the page begins without it. */
async function openDrafts({ store, storage }: Pick<PeerPorts, 'store' | 'storage'>): Promise<Memory> {
  try {
    // what lies in the local storage moves only to where it lasts
    return await openSealedMemory(store, storage === 'durable' ? localStorageOf(window) : undefined, log)
  } catch (error) {
    log.warn('what was being written could not be read', { error })
    return openSealedMemory(createVolatileStore(), undefined, log)
  }
}

/** Shows the lock, and nothing else, until the person has opened it. */
async function unlock(vault: LockedVault, target: HTMLElement): Promise<OpenVault> {
  applyLook(new Preferences(createBrowserMemory(window)).look)
  const { promise, resolve } = Promise.withResolvers<OpenVault>()
  const screen = mount(Unlock, {
    target,
    props: { lock: createPageUnlock(vault, passkeys, resolve), unchecked: origin.kind === 'silent' },
  })
  const opened = await promise
  await unmount(screen)
  return opened
}

/** Who serves this address now, where others than the helper could. */
async function whoServes(): Promise<OriginVerdict> {
  const memory = localStorageOf(window)
  if (!import.meta.env.PROD || memory === undefined || !canBeTaken(location.origin)) return { kind: 'unknown' }
  return checkOrigin({
    ...{ origin: location.origin, random: webRandom, memory, isHelper: cameFromHelper(window) },
    fetch: (...given) => fetch(...given),
  })
}

/** Opens nothing, and says why. */
function refuse(device: string | undefined, target: HTMLElement): void {
  log.error('somebody else answers for the helper of this page', { device })
  applyLook(new Preferences(createBrowserMemory(window)).look)
  const again = (): void => {
    location.reload()
  }
  const trust = (): void => {
    if (device !== undefined) trustOrigin(window.localStorage, device)
    again()
  }
  mount(OtherServer, { target, props: { isHelper: device !== undefined, onagain: again, ontrust: trust } })
}
