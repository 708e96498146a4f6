import {
  asMeshError,
  isAbort,
  type DeviceId,
  type MeshError,
  type MessageId,
  type PersonId,
  type RoomId,
} from '../../mesh/base/index.ts'
import type { Receipts, RoomSearch, RoomSummary, RoomView } from '../../mesh/state/index.ts'
import type { RoomDevice, RoomPerson, RoomsPort, SharedRooms } from '../peer/rooms-port.ts'

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

  /** Follows the rooms until the returned function is called. Failures nobody waits for are told. */
  listen(onProblem: (error: MeshError) => void): () => void {
    const schedule = (): void => {
      this.#schedule()
    }
    const ends = [
      this.#port.rooms.changes.subscribe(schedule),
      this.#port.changes.subscribe(schedule),
      this.#port.rooms.problems.subscribe((error) => {
        if (!isAbort(error)) onProblem(error)
      }),
    ]
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
  get rooms(): SharedRooms {
    return this.#port.rooms
  }
  get self(): PersonId {
    return this.#port.rooms.self
  }
  /** False while nothing can be said of rooms yet. */
  get isKnown(): boolean {
    void this.#change
    return this.#port.isKnown()
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
  /** Looks in the open rooms. Undefined: the tab that holds the peer could not be asked. */
  search(words: string, room?: RoomId): Promise<RoomSearch | undefined> {
    return this.#ask(() => this.#port.rooms.search(words, room === undefined ? {} : { room }))
  }
  /** Which devices hold a message, and who has seen it. Undefined as in {@link search}. */
  receipts(room: RoomId, message: MessageId): Promise<Receipts | undefined> {
    return this.#ask(() => this.#port.rooms.receipts(room, message))
  }
  /** What is only looked at is looked at again with the next change, so a failure says nothing new. */
  async #ask<Value>(look: () => Value | Promise<Value>): Promise<Value | undefined> {
    try {
      return await look()
    } catch (error) {
      if (!isAbort(error)) console.info('rooms could not be asked', asMeshError(error).code)
      return undefined
    }
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
