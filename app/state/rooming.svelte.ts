import type { DeviceId, PersonId, RoomId } from '../../mesh/base/index.ts'
import type { Rooms, RoomSummary, RoomView } from '../../mesh/state/index.ts'
import type { RoomDevice, RoomPerson, RoomsPort } from '../peer/rooms-port.ts'

/** At most this often a change is drawn while the page is hidden. */
const HIDDEN_REFRESH_MS = 250

/** Rooms as screens read them: fresh after each change, drawn once a frame. */
export class Rooming {
  readonly #port: RoomsPort
  #list = $state.raw<readonly RoomSummary[]>([])
  // counts changes: snapshots behind it are read again by whoever read it
  #change = $state(0)
  #views = new Map<RoomId, RoomView | undefined>()
  #scheduled = false

  constructor(port: RoomsPort) {
    this.#port = port
    this.#list = port.rooms.list()
  }

  /** Follows the rooms until the returned function is called. */
  listen(): () => void {
    const schedule = (): void => {
      this.#schedule()
    }
    const ends = [this.#port.rooms.changes.subscribe(schedule), this.#port.changes.subscribe(schedule)]
    this.#refresh()
    return () => {
      for (const end of ends) end()
    }
  }

  #schedule(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    const run = (): void => {
      this.#scheduled = false
      this.#refresh()
    }
    // no frames come while the page is hidden
    if (document.hidden) setTimeout(run, HIDDEN_REFRESH_MS)
    else requestAnimationFrame(run)
  }

  #refresh(): void {
    this.#views = new Map()
    this.#list = this.#port.rooms.list()
    this.#change += 1
  }

  /** What one may do in rooms. */
  get rooms(): Rooms {
    return this.#port.rooms
  }
  get self(): PersonId {
    return this.#port.rooms.self
  }
  /** Newest first. */
  get list(): readonly RoomSummary[] {
    return this.#list
  }
  /** Everybody who may take part, this person first. */
  get people(): readonly RoomPerson[] {
    void this.#change
    return this.#port.people()
  }
  /** An open room. Made once per change, however many ask. */
  view(room: RoomId | undefined): RoomView | undefined {
    void this.#change
    if (room === undefined) return undefined
    if (!this.#views.has(room)) this.#views.set(room, this.#port.rooms.get(room))
    return this.#views.get(room)
  }
  person(id: PersonId | undefined): RoomPerson | undefined {
    void this.#change
    return id === undefined ? undefined : this.#port.person(id)
  }
  device(id: DeviceId): RoomDevice | undefined {
    void this.#change
    return this.#port.device(id)
  }
}
