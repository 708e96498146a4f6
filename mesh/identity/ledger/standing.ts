import type { DeviceId } from '../../base/index.ts'
import { authorize, type ObjectOf, type Subject, type Verdict } from '../authorize.ts'
import { activeDevice } from './audience.ts'
import { scopeOf, type ScopeId } from './scope.ts'
import type { LedgerState } from './state.ts'

/** What a device is to `authorize`: its person's role, removed, or a stranger. */
export function subjectOf(state: LedgerState, id: DeviceId): Subject {
  const device = state.devices.get(id)
  const person = device === undefined ? undefined : state.people.get(device.person)
  if (device === undefined || person === undefined) return 'stranger'
  return device.removedAt === null && person.removedAt === null ? person.role : 'removed'
}

/** What a scope is seen from a device: its own person's or another's, a room its person is in or not. */
export function scopeSeenBy(state: LedgerState, id: DeviceId, scopeId: ScopeId): ObjectOf<'read'> {
  const person = activeDevice(state, id)?.person
  const scope = scopeOf(scopeId)
  if (scope.kind === 'mesh') return 'mesh'
  if (scope.kind === 'person') return scope.person === person ? 'own-person' : 'other-person'
  const isIn = person !== undefined && state.rooms.get(scope.room)?.people.has(person) === true
  return isIn ? 'own-room' : 'other-room'
}

/** May the device read, write or blindly store what is sealed to the scope? */
export function authorizeScope(
  state: LedgerState,
  id: DeviceId,
  action: 'read' | 'write' | 'store',
  scope: ScopeId,
): Verdict {
  return authorize<'read' | 'write' | 'store'>(subjectOf(state, id), action, scopeSeenBy(state, id, scope))
}
