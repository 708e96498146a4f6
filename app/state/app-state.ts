import { createContext } from 'svelte'
import { MeshError } from '../../mesh/base/index.ts'
import type { AppPeer } from '../peer/app-peer.ts'
import type { About } from './about.ts'
import { applyLook } from '../theme/look.ts'
import { Chatting } from './chatting.svelte.ts'
import { createBrowserMemory } from './memory.ts'
import { Notices } from './notices.svelte.ts'
import { Rooming } from './rooming.svelte.ts'
import { PeerView } from './peer-view.svelte.ts'
import { Preferences } from './preferences.svelte.ts'
import { Router } from './router.svelte.ts'

/** Everything the screens stand on. */
export interface AppState {
  readonly peer: PeerView
  readonly chats: Chatting
  /** Absent: this page has no rooms. */
  readonly rooms: Rooming | undefined
  readonly notices: Notices
  readonly preferences: Preferences
  readonly router: Router
}

const [getPeer, setPeer] = createContext<PeerView>()
const [getChats, setChats] = createContext<Chatting>()
const [getRoomsIfAny, setRooms] = createContext<Rooming | undefined>()
const [getNotices, setNotices] = createContext<Notices>()
const [getPreferences, setPreferences] = createContext<Preferences>()
const [getRouter, setRouter] = createContext<Router>()
const [getAbout, provideAbout] = createContext<About>()

export { getRoomsIfAny, getAbout, getChats, getNotices, getPeer, getPreferences, getRouter, provideAbout }

/** The rooms of this page. Only screens that are not shown without rooms may ask. @throws MeshError `bug` */
export function getRooms(): Rooming {
  const rooms = getRoomsIfAny()
  if (rooms === undefined) throw new MeshError('bug', 'This page has no rooms.')
  return rooms
}

/** Makes the state of one page over its peer. */
export function createAppState(peer: AppPeer, window: Window): AppState {
  return {
    peer: new PeerView(peer),
    chats: new Chatting(peer),
    rooms: peer.rooms === undefined ? undefined : new Rooming(peer.rooms),
    notices: new Notices(),
    preferences: new Preferences(createBrowserMemory(window)),
    router: new Router(window),
  }
}

/** Gives the state to every component below and keeps it in step; returns what ends that. Called once, by the shell. */
export function provideAppState(state: AppState): () => void {
  setPeer(state.peer)
  setChats(state.chats)
  setRooms(state.rooms)
  setNotices(state.notices)
  setPreferences(state.preferences)
  setRouter(state.router)
  applyLook(state.preferences.look)
  const ends = [state.peer.listen(), state.chats.listen(), state.rooms?.listen(), state.router.listen()]
  return () => {
    for (const end of ends) end?.()
  }
}
