import type { DeviceId, PersonId } from '../../base/index.ts'
import { authorize } from '../authorize.ts'
import { scopeOf, type ScopeId } from './scope.ts'
import type { LedgerDevice, LedgerPerson, LedgerState } from './state.ts'

/** Who may hold a scope's key now. */
export interface Audience {
  readonly devices: readonly DeviceId[]
  /** People whose recovery key it is sealed to as well. */
  readonly recoveries: readonly PersonId[]
}

/**
 * Who may hold the key of a scope: the devices, sorted, of the people it is open to who
 * may read (owners and members), without the removed. A helper-only or a guest is in none.
 */
export function audienceOf(state: LedgerState, scope: ScopeId): Audience {
  const people = peopleOf(state, scope)
  const devices = [...state.devices.values()].filter((device) => isActive(device) && people.has(device.person))
  return {
    devices: devices.map((device) => device.id).sort(),
    recoveries: [...people].filter((person) => state.recoveries.has(person)).sort(),
  }
}

/** The device, where it belongs now: neither it nor its person is removed. */
export function activeDevice(state: LedgerState, id: DeviceId): LedgerDevice | undefined {
  const device = state.devices.get(id)
  return device !== undefined && isActive(device) ? device : undefined
}

/** The scopes a device may hold the key of: the mesh's, its person's and those of its rooms. */
export function scopesOf(state: LedgerState, id: DeviceId): readonly ScopeId[] {
  const device = activeDevice(state, id)
  const person = device === undefined ? undefined : state.people.get(device.person)
  if (person === undefined || !mayRead(person)) return []
  const rooms = [...state.rooms.values()].filter((room) => room.people.has(person.id))
  return ['mesh', `person:${person.id}`, ...rooms.map((room): ScopeId => `room:${room.id}`)]
}

function peopleOf(state: LedgerState, id: ScopeId): ReadonlySet<PersonId> {
  const scope = scopeOf(id)
  const room = scope.kind === 'room' ? state.rooms.get(scope.room) : undefined
  const isIn = (person: LedgerPerson): boolean => {
    if (!mayRead(person)) return false
    if (scope.kind === 'mesh') return true
    return scope.kind === 'person' ? scope.person === person.id : room?.people.has(person.id) === true
  }
  return new Set([...state.people.values()].filter(isIn).map((person) => person.id))
}

function mayRead(person: LedgerPerson): boolean {
  return person.removedAt === null && authorize(person.role, 'read', 'mesh').allowed
}

function isActive(device: LedgerDevice): boolean {
  return device.removedAt === null
}
