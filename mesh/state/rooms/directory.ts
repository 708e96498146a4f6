import type { DeviceId, EventSource, PersonId, RoomId } from '../../base/index.ts'
import type { RoomHistory, RoomRecord } from './rooms.ts'

interface Cancellable {
  readonly signal?: AbortSignal | undefined
}

/** Port: what the ledger tells of rooms and people. */
export interface RoomDirectory {
  /** The person of this device. */
  readonly self: PersonId
  /** Rooms that are open to this person. */
  list(): readonly RoomRecord[]
  /** Makes a room of these people and this one. Durable when it resolves. */
  create(
    options: { readonly people: readonly PersonId[]; readonly history: RoomHistory } & Cancellable,
  ): Promise<RoomId>
  /** Takes this person out of a room. Durable when it resolves. */
  leave(room: RoomId, options?: Cancellable): Promise<void>
  /** Whose a device is, also of devices that were removed. */
  personOf(device: DeviceId): PersonId | undefined
  nameOf(person: PersonId): string | undefined
  /** People, their devices or rooms changed. */
  readonly changes: EventSource<void>
}
