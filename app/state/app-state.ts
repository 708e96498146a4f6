import { createContext } from 'svelte'
import { errorSentence } from '../i18n/index.ts'
import type { AppPeer } from '../peer/app-peer.ts'
import type { About } from './about.ts'
import { applyLook } from '../theme/look.ts'
import type { PageLock } from '../lock/index.ts'
import { Archiving } from './archiving.svelte.ts'
import { Chatting } from './chatting.svelte.ts'
import { Keeping, type KeepingPorts } from './keeping.svelte.ts'
import { Knocking } from './knocking.svelte.ts'
import { Locking } from './locking.svelte.ts'
import { createBrowserMemory, createPageMemory } from './memory.ts'
import { Newcomers } from './newcomers.svelte.ts'
import { Notices } from './notices.svelte.ts'
import { PeopleView } from './people-view.svelte.ts'
import { Recovering } from './recovering.svelte.ts'
import { Rooming } from './rooming.svelte.ts'
import { PeerView } from './peer-view.svelte.ts'
import { Preferences, type Memory } from './preferences.svelte.ts'
import { Router } from './router.svelte.ts'

/** Everything the screens stand on. */
export interface AppState {
  readonly peer: PeerView
  readonly people: PeopleView
  readonly newcomers: Newcomers
  readonly chats: Chatting
  readonly keeping: Keeping
  readonly knocking: Knocking
  readonly locking: Locking
  readonly archiving: Archiving
  readonly recovering: Recovering
  readonly rooms: Rooming
  readonly notices: Notices
  readonly preferences: Preferences
  readonly router: Router
}

const [getPeer, setPeer] = createContext<PeerView>()
const [getPeople, setPeople] = createContext<PeopleView>()
const [getNewcomers, setNewcomers] = createContext<Newcomers>()
const [getChats, setChats] = createContext<Chatting>()
const [getKeeping, setKeeping] = createContext<Keeping>()
const [getKnocking, setKnocking] = createContext<Knocking>()
const [getLocking, setLocking] = createContext<Locking>()
const [getArchiving, setArchiving] = createContext<Archiving>()
const [getRecovering, setRecovering] = createContext<Recovering>()
const [getRooms, setRooms] = createContext<Rooming>()
const [getNotices, setNotices] = createContext<Notices>()
const [getPreferences, setPreferences] = createContext<Preferences>()
const [getRouter, setRouter] = createContext<Router>()
const [getAbout, provideAbout] = createContext<About>()

export {
  getAbout,
  getArchiving,
  getChats,
  getKeeping,
  getKnocking,
  getLocking,
  getNewcomers,
  getNotices,
  getPeer,
  getPeople,
  getPreferences,
  getRecovering,
  getRooms,
  getRouter,
  provideAbout,
}

/** What the state of a page stands on. */
export interface AppPorts {
  readonly peer: AppPeer
  /** What locks the stored data; absent where nothing is stored. */
  readonly lock?: PageLock | undefined
  readonly keeping: KeepingPorts
  /** Where what is being written is kept; absent: as preferences are. */
  readonly drafts?: Memory | undefined
  readonly window: Window
}

/** Makes the state of one page over its peer. */
export function createAppState({ peer, lock, keeping, drafts, window }: AppPorts): AppState {
  const memory = peer.state().guest === true ? createPageMemory() : createBrowserMemory(window)
  const preferences = new Preferences(memory, drafts)
  return {
    archiving: new Archiving(peer, preferences),
    recovering: new Recovering(peer),
    peer: new PeerView(peer),
    people: new PeopleView(peer),
    newcomers: new Newcomers(memory),
    chats: new Chatting(peer),
    keeping: new Keeping(keeping, memory),
    knocking: new Knocking(peer),
    locking: new Locking(lock),
    rooms: new Rooming(peer.rooms),
    notices: new Notices(),
    preferences,
    router: new Router(window),
  }
}

/** Gives the state to every component below and keeps it in step; returns what ends that. Called once, by the shell. */
export function provideAppState(state: AppState): () => void {
  setPeer(state.peer)
  setPeople(state.people)
  setNewcomers(state.newcomers)
  setChats(state.chats)
  setKeeping(state.keeping)
  setKnocking(state.knocking)
  setLocking(state.locking)
  setArchiving(state.archiving)
  setRecovering(state.recovering)
  setRooms(state.rooms)
  setNotices(state.notices)
  setPreferences(state.preferences)
  setRouter(state.router)
  applyLook(state.preferences.look)
  const ends = [
    state.peer.listen(),
    state.people.listen(),
    state.chats.listen(),
    state.rooms.listen((error) => {
      state.notices.show({ text: errorSentence(error.code) })
    }),
    state.router.listen(),
    listenToLocks(state),
  ]
  return () => {
    for (const end of ends) end()
  }
}

function listenToLocks({ locking, notices }: AppState): () => void {
  return locking.listen((error) => {
    void notices.attempt(Promise.reject(error))
  })
}
