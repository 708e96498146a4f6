import { MeshError, type DeviceId, type PersonId } from './base/index.ts'
import {
  audienceOf,
  authorize,
  roomScope,
  type LedgerRoom,
  type LedgerState,
  type Membership,
} from './identity/index.ts'
import type { KeptEpochs } from './keeping-epochs.ts'
import type { RoomDirectory, RoomRecord } from './state/index.ts'

/** Rooms as the ledger has them: those this device's person is in, and may read. */
export function createRoomDirectory(membership: Membership, epochs: KeptEpochs): RoomDirectory {
  const own = (): PersonId | undefined => membership.state().devices.get(membership.self)?.person

  const timeOf = (state: LedgerState, room: LedgerRoom, person: PersonId): number => {
    const ledger = membership.ledger()
    const times = (room.joinedBy.get(person) ?? []).flatMap((hash) => ledger.entry(hash)?.at ?? [])
    return times.length === 0 ? (state.people.get(person)?.addedAt ?? 0) : Math.min(...times)
  }

  const recordOf = (state: LedgerState, room: LedgerRoom): RoomRecord => {
    const ledger = membership.ledger()
    const made = ledger.entries().find((entry) => entry.fields.type === 'room' && entry.hash.startsWith(room.id))
    return {
      id: room.id,
      history: room.history,
      createdAt: made?.at ?? 0,
      createdBy: room.createdByPerson,
      madeOn: made?.author,
      people: [...room.people].map((person) => ({ person, since: timeOf(state, room, person) })),
      devices: audienceOf(state, roomScope(room.id)).devices,
    }
  }

  return {
    get self() {
      return own() ?? ('' as PersonId)
    },
    list() {
      const state = membership.state()
      const person = own()
      const mayRead = authorize(membership.subject(membership.self), 'read', 'own-room').allowed
      if (person === undefined || !mayRead) return []
      return [...state.rooms.values()].filter((room) => room.people.has(person)).map((room) => recordOf(state, room))
    },
    async create({ people, history, signal }) {
      const person = own()
      if (person === undefined) throw new MeshError('removed', 'This device was removed from its mesh.')
      const everybody = [...new Set([person, ...people])]
      const entry = await membership.ledger().append({ type: 'room', people: everybody, history }, { signal })
      const room = [...membership.state().rooms.values()].find((one) => entry.hash.startsWith(one.id))
      if (room === undefined) throw new MeshError('bug', 'A room that was written is not there.')
      await epochs.maintain({ signal })
      return room.id
    },
    async leave(room, { signal } = {}) {
      const person = own()
      if (person === undefined) throw new MeshError('removed', 'This device was removed from its mesh.')
      await membership.ledger().append({ type: 'room-people', room, add: [], remove: [person] }, { signal })
    },
    personOf: (device: DeviceId) => membership.state().devices.get(device)?.person,
    nameOf: (person) => membership.state().people.get(person)?.name,
    changes: membership.changes,
  }
}
