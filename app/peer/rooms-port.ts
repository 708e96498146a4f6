import type { EventSource, MeshError, RoomId } from '../../mesh/base/index.ts'
import type { MeshRooms } from '../../mesh/rooms-types.ts'
import type { RoomChange, Rooms, RoomView } from '../../mesh/state/index.ts'
import type { Shared } from './remote/shape.ts'

export type { RoomDevice, RoomNames, RoomPerson } from '../../mesh/rooms-types.ts'

/** What every tab has of rooms at once, and for itself. */
export type RoomsReading = Pick<Rooms, 'self' | 'changes' | 'problems' | 'list' | 'get' | 'close' | 'attend'>

/** What the tab that holds the peer does in rooms, for all. Rooms end with the peer, never by a screen's word. */
export type RoomsDoing = Shared<Omit<Rooms, keyof RoomsReading | 'weigh' | 'stopAll'>>

/**
 * The rooms as every tab has them, from its start. Before the peer runs the list is
 * empty; while it is away the last of what was seen stays readable. What is done waits
 * for the peer. @throws MeshError those of `Rooms`; `offline` or `timeout`, both
 * retryable, when no peer came up in time.
 */
export type SharedRooms = RoomsReading & RoomsDoing

/** Rooms and the names in them: what the screens of rooms stand on. */
export interface RoomsPort extends Pick<MeshRooms, 'people' | 'person' | 'device' | 'changes'> {
  readonly rooms: SharedRooms
  /** False until the list was read once: nothing can be said of what is not in it. */
  isKnown(): boolean
}

/** Whether a room is before this person's eyes. */
export type Attention = Parameters<Rooms['attend']>[1]

/** What one tab wants of rooms: those it has open, and how it attends them. */
export type RoomWants = ReadonlyMap<RoomId, Attention>

/** What rooms look like while there is a peer to ask. */
export interface RoomsSight extends Pick<MeshRooms, 'people' | 'known'>, Pick<Rooms, 'self' | 'list'> {
  /** An open room. */
  view(room: RoomId): RoomView | undefined
}

/** Where rooms are looked at: the mesh of this tab, or what the tab that leads tells of its own. */
export interface RoomsSource {
  sight(): RoomsSight | undefined
  /** A room, or with null the list, names, or that there is a sight at all. */
  readonly changes: EventSource<RoomChange>
  readonly problems: EventSource<MeshError>
  /** The last sight, as it goes: to be read now or never. */
  readonly partings: EventSource<RoomsSight>
}
