import type { DeviceId, EventSource, PersonId } from './base/index.ts'
import type { Rooms } from './state/index.ts'

/** A person of the mesh, as rooms name them. */
export interface RoomPerson {
  readonly id: PersonId
  readonly name: string
}

/** A device of the mesh, as rooms name it. */
export interface RoomDevice {
  readonly id: DeviceId
  readonly name: string
  readonly person: PersonId | undefined
  readonly state: 'online' | 'asleep' | 'unreachable' | 'removed'
  /** It has an engine, so the AI of a room may run on it. */
  readonly answers: boolean
}

/** Everybody and everything rooms may name, also what left. */
export interface RoomNames {
  readonly people: readonly RoomPerson[]
  readonly devices: readonly RoomDevice[]
}

/** Rooms and the names in them. */
export interface MeshRooms {
  readonly rooms: Rooms
  /** Everybody who may take part in rooms, this person first. */
  people(): readonly RoomPerson[]
  /** Also people and devices that left, where they are still known. */
  person(id: PersonId): RoomPerson | undefined
  device(id: DeviceId): RoomDevice | undefined
  /** All of them, for who has to look names up somewhere else. */
  known(): RoomNames
  /** Names, people or devices changed. */
  readonly changes: EventSource<void>
}
