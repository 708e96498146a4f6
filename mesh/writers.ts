import { asId, type DeviceId, type EntryHash, type ScopeId } from './base/index.ts'
import { isChatDocument } from './chat-documents.ts'
import { personEverOf } from './device-people.ts'
import { authorize, scopeId, scopeOf, type Membership, type Scope } from './identity/index.ts'
import { isRoomDocument } from './room-documents.ts'
import type { DocumentName, Writers } from './sync/index.ts'
import { givenKeys, writingEndIn } from './writing-ends.ts'

type Known = Pick<Membership, 'self' | 'state' | 'ledger' | 'subject'>

/** Who may do what with the documents of a scope, by the ledger as it is now. */
export function createWriters(membership: Known): Writers {
  const objectFor = (
    device: DeviceId,
    scope: Scope,
  ): 'mesh' | 'own-person' | 'other-person' | 'own-room' | 'other-room' => {
    const state = membership.state()
    const person = state.devices.get(device)?.person
    switch (scope.kind) {
      case 'mesh':
        return 'mesh'
      case 'person':
        return scope.person === person ? 'own-person' : 'other-person'
      case 'room':
        return person !== undefined && state.rooms.get(scope.room)?.people.has(person) === true
          ? 'own-room'
          : 'other-room'
    }
  }
  const may = (device: DeviceId, action: 'read' | 'write' | 'store', scope: ScopeId): boolean => {
    const known = scopeId.safeParse(scope)
    if (!known.success) return false
    return authorize(membership.subject(device), action, objectFor(device, scopeOf(known.data))).allowed
  }
  return {
    mayWrite: (device, scope) => may(device, 'write', scope),
    mayRead: (device, scope) => may(device, 'read', scope),
    // a person's and a room's envelopes are kept by whom they are open to, and by helpers that read nothing
    mayStore: (device, scope) =>
      may(device, 'store', scope) && (may(device, 'read', scope) || membership.subject(device) === 'helper-only'),
    mayExist: (name) => mayExist(membership, name),
    personOf: (device) => personEverOf(device, membership.ledger()),
    personMayWrite(device, scope) {
      const person = personEverOf(device, membership.ledger())
      if (person === undefined) return false
      for (const [other, known] of membership.state().devices)
        if (known.person === person && may(other, 'write', scope)) return true
      return false
    },
    isOver(scope) {
      const known = scopeId.safeParse(scope)
      const parts = known.success ? scopeOf(known.data) : undefined
      const person = parts?.kind === 'person' ? membership.state().people.get(parts.person) : undefined
      return person !== undefined && person.removedAt !== null
    },
    endOf(device, scope) {
      const known = scopeId.safeParse(scope)
      if (!known.success) return undefined
      const mayWrite = (other: DeviceId): boolean => may(other, 'write', scope)
      return writingEndIn(membership.ledger(), { device, scope: known.data, self: membership.self, mayWrite })
    },
    mayHaveWritten(device, scope, epoch) {
      const known = scopeId.safeParse(scope)
      return known.success && givenKeys(device, known.data, membership.ledger()).has(asId<EntryHash>(epoch))
    },
  }
}

/** Whether this mesh has, or may have, a document of that name: one a room, and one a chat of a person who belongs. */
function mayExist(membership: Known, { id, kind, scope }: DocumentName): boolean {
  const known = scopeId.safeParse(scope)
  if (!known.success || kind !== 'operations') return false
  const state = membership.state()
  const parts = scopeOf(known.data)
  if (parts.kind === 'room') return isRoomDocument(id, parts.room) && state.rooms.has(parts.room)
  if (parts.kind !== 'person' || !isChatDocument(id, membership.ledger().mesh)) return false
  return state.people.get(parts.person)?.removedAt === null
}
