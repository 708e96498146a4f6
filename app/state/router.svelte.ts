import { asId, ID_MAX_LENGTH, type ChatId, type DeviceId, type RoomId } from '../../mesh/base/index.ts'

/** Where the person is: a view, and what is open in it. */
export interface Place {
  readonly view: string
  /** The open chat. */
  readonly chat?: ChatId | undefined
  /** The open room. */
  readonly room?: RoomId | undefined
  /** On phones: the list of chats instead of one. */
  readonly list?: boolean | undefined
  /** The device whose sheet is open. */
  readonly device?: DeviceId | undefined
  /** The person whose sheet is open: 32 hex digits. */
  readonly person?: string | undefined
  /** The open tab of a view that has tabs. */
  readonly tab?: string | undefined
  /** The sheet is about removing that device or person. */
  readonly remove?: boolean | undefined
}

const HOME = 'chat'

/** The place a query string names. Unknown or overlong values name nothing. */
export function placeFromSearch(search: string): Place {
  const query = new URLSearchParams(search)
  const read = (name: string): string | undefined => {
    const value = query.get(name)
    return value === null || value === '' || value.length > ID_MAX_LENGTH ? undefined : value
  }
  const chat = read('chat')
  const room = read('room')
  const device = read('device')
  const person = read('person')
  const tab = read('tab')
  return {
    view: read('view') ?? HOME,
    ...(read('list') === undefined ? {} : { list: true }),
    ...(chat === undefined ? {} : { chat: asId<ChatId>(chat) }),
    ...(room === undefined ? {} : { room: asId<RoomId>(room) }),
    ...(device === undefined ? {} : { device: asId<DeviceId>(device) }),
    ...(person === undefined ? {} : { person }),
    ...(tab === undefined ? {} : { tab }),
    ...(read('remove') === undefined ? {} : { remove: true }),
  }
}

/** The query string of a place; home has none. */
export function searchFromPlace(place: Place): string {
  const query = new URLSearchParams()
  if (place.view !== HOME) query.set('view', place.view)
  if (place.list === true) query.set('list', '1')
  if (place.chat !== undefined) query.set('chat', place.chat)
  if (place.tab !== undefined) query.set('tab', place.tab)
  if (place.room !== undefined) query.set('room', place.room)
  if (place.device !== undefined) query.set('device', place.device)
  if (place.person !== undefined) query.set('person', place.person)
  if (place.remove === true) query.set('remove', '1')
  const text = query.toString()
  return text === '' ? '' : `?${text}`
}

/**
 * The place in the address as a query, so that it works below any path and with
 * no server. The fragment belongs to invitations and is never written.
 */
export class Router {
  #place = $state.raw<Place>({ view: HOME })
  readonly #window: Window

  constructor(window: Window) {
    this.#window = window
    this.#place = placeFromSearch(window.location.search)
  }

  get place(): Place {
    return this.#place
  }

  /** Follows the browser's own back and forward until the returned function is called. */
  listen(): () => void {
    const onPop = (): void => {
      this.#place = placeFromSearch(this.#window.location.search)
    }
    this.#window.addEventListener('popstate', onPop)
    return () => {
      this.#window.removeEventListener('popstate', onPop)
    }
  }

  /** The address of a place, for links. */
  href(place: Place): string {
    return `${this.#window.location.pathname}${searchFromPlace(place)}`
  }

  /** Goes there; back returns. */
  go(place: Place): void {
    if (searchFromPlace(place) === searchFromPlace(this.#place)) return
    this.#window.history.pushState(null, '', this.href(place))
    this.#place = place
  }

  /** Goes there instead: back returns to where one was before. */
  replace(place: Place): void {
    this.#window.history.replaceState(null, '', this.href(place))
    this.#place = place
  }

  /** For links: stays in the page for a plain click, lets the browser do the rest. */
  follow(place: Place): (event: MouseEvent) => void {
    return (event) => {
      if (event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return
      event.preventDefault()
      this.go(place)
    }
  }
}
