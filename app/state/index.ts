/**
 * What the screens read: runes over this tab's peer, its chats and the choices of
 * the person. Promises a fresh snapshot after every change and no work of its own.
 * Must not know libp2p, stores or any screen.
 */
export { type About, type HelperPage, type HelperPlace, type Updates } from './about.ts'
export {
  createAppState,
  getAbout,
  getArchiving,
  getChats,
  getNewcomers,
  getKeeping,
  getKnocking,
  getLocking,
  getNotices,
  getPeer,
  getPeople,
  getPreferences,
  getRecovering,
  getRooms,
  getRouter,
  provideAbout,
  provideAppState,
  type AppState,
} from './app-state.ts'
export { Chatting } from './chatting.svelte.ts'
export { Keeping, type Install, type KeepingPorts, type KeepingState } from './keeping.svelte.ts'
export { Newcomers } from './newcomers.svelte.ts'
export { Locking } from './locking.svelte.ts'
export { createBrowserMemory, localStorageOf } from './memory.ts'
export { Notices } from './notices.svelte.ts'
export { PeerView } from './peer-view.svelte.ts'
export { PeopleView } from './people-view.svelte.ts'
export { Preferences, type Memory } from './preferences.svelte.ts'
export { Rooming } from './rooming.svelte.ts'
export { placeFromSearch, Router, searchFromPlace, type Place } from './router.svelte.ts'
export { Ticker } from './ticker.svelte.ts'
