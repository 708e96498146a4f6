/**
 * What the page has of the browser, behind the ports of the core: storage, time,
 * chance, locks, the other tabs, the life of the page. Nothing here decides anything.
 */
export { createConsoleLog } from './console-log.ts'
export { createBrowserKey } from './device-key.ts'
export { createHelperPage } from './helper-page.ts'
export { openIdbStore, type IdbStoreOptions } from './idb-store.ts'
export { canBeTaken, checkOrigin, isOriginKnown, trustOrigin, type OriginVerdict } from './origin-check.ts'
export { findOwnHelper } from './own-helper.ts'
export { watchPageLife } from './page-life.ts'
export { cameFromHelper, howPageWasOpened, pageAddress, takeJoinLink, watchJoinLinks } from './page-link.ts'
export { openSealedMemory } from './sealed-memory.ts'
export { registerServiceWorker, type PageUpdates } from './service-worker.ts'
export { createVolatileStore } from './volatile-store.ts'
export { createLoneChannel, createWebChannel } from './web-channel.ts'
export { webClock } from './web-clock.ts'
export { watchInstall } from './web-install.ts'
export { createWebLock } from './web-locks.ts'
export { createWebPasskeys } from './web-passkeys.ts'
export { webRandom } from './web-random.ts'
export { wipeBrowser, type WipeOptions } from './wipe.ts'
