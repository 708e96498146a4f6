import type { DeviceId, EntryHash, InvitationId, PersonId } from './base/index.ts'
import {
  authorize,
  invitationIdOfKey,
  roomIdOf,
  roomScope,
  scopeOf,
  type FieldsOf,
  type Ledger,
  type LedgerEntry,
  type LedgerState,
  type ObjectOf,
  type Role,
  type ScopeId,
} from './identity/index.ts'

type Known = Pick<Ledger, 'state' | 'entries'>

/** An entry that let a device in, whether it still counts or came to nothing. */
export interface Admission {
  readonly entry: EntryHash
  readonly counts: boolean
  readonly person: PersonId
  /** Who let it in, first whose right it was: who made the invitation, then who wrote it down. */
  readonly by: readonly DeviceId[]
}

/**
 * Everything that ever let a device in, in the common order. Empty for one that never was: whatever names it,
 * and be it the recipient of a key, was made up.
 */
export function admissionsOf(device: DeviceId, ledger: Known): readonly Admission[] {
  return pastOf(ledger).admissions.get(device) ?? []
}

/** An entry that brought a person into a room, whether it still counts or came to nothing. */
export type Joining = Omit<Admission, 'person'>

/** Everything that ever brought a person into the room of a scope, in the common order. */
export function joinsOf(person: PersonId, scope: ScopeId, ledger: Known): readonly Joining[] {
  return pastOf(ledger).joins.get(`${scope}/${person}`) ?? []
}

/**
 * True when a device was at some time let in by whom it was open to, and might write there. A key alone makes
 * no writer: who has one can say that it was given to anybody.
 */
export function couldEverWrite(device: DeviceId, scope: ScopeId, ledger: Known): boolean {
  const parts = scopeOf(scope)
  const { roles, joins } = pastOf(ledger)
  const isOpenTo = (person: PersonId): boolean =>
    parts.kind === 'mesh' || (parts.kind === 'person' ? parts.person === person : joins.has(`${scope}/${person}`))
  const hadRole = (person: PersonId): boolean =>
    [...(roles.get(person) ?? [])].some((role) => authorize(role, 'write', ownScope(scope)).allowed)
  return admissionsOf(device, ledger).some(({ person }) => isOpenTo(person) && hadRole(person))
}

/** What a scope is to those that it is open to. */
export function ownScope(scope: ScopeId): ObjectOf<'write'> {
  const { kind } = scopeOf(scope)
  return kind === 'mesh' ? 'mesh' : kind === 'person' ? 'own-person' : 'own-room'
}

interface Past {
  readonly admissions: Map<DeviceId, Admission[]>
  /** Of each person all that it ever had. */
  readonly roles: Map<PersonId, Set<Role>>
  readonly joins: Map<`${ScopeId}/${PersonId}`, Joining[]>
  readonly invites: Map<InvitationId, LedgerEntry<FieldsOf<'invite'>>[]>
}

/** Asked for each envelope of an author who may not write any more: made once of each state of the ledger. */
const byState = new WeakMap<LedgerState, Past>()

function pastOf(ledger: Known): Past {
  const state = ledger.state()
  const known = byState.get(state)
  if (known !== undefined) return known
  const past: Past = { admissions: new Map(), roles: new Map(), joins: new Map(), invites: new Map() }
  // what an entry saw stands before it
  for (const entry of ledger.entries())
    if (!state.neverCounted.has(entry.hash)) note(entry, !state.ignored.has(entry.hash), past)
  byState.set(state, past)
  return past
}

function note(entry: LedgerEntry, counts: boolean, past: Past): void {
  const { fields, hash, author } = entry
  const joining: Joining = { entry: hash, counts, by: [author] }
  switch (fields.type) {
    case 'create':
      noteRole(fields.person.id, 'owner', past)
      noteAdmission(entry, { ...joining, person: fields.person.id }, past)
      break
    case 'invite':
      push(past.invites, invitationIdOfKey(fields.key), entry as LedgerEntry<FieldsOf<'invite'>>)
      break
    case 'admit':
      noteAdmitted(entry as LedgerEntry<FieldsOf<'admit'>>, counts, past)
      break
    case 'role':
      noteRole(fields.person, fields.role, past)
      break
    case 'room':
      for (const person of fields.people) push(past.joins, `${roomScope(roomIdOf(hash))}/${person}`, joining)
      break
    case 'room-people':
      for (const person of fields.add) push(past.joins, `${roomScope(fields.room)}/${person}`, joining)
      break
    default:
  }
}

function noteAdmitted(entry: LedgerEntry<FieldsOf<'admit'>>, counts: boolean, past: Past): void {
  const { fields, hash, author } = entry
  const { person, newPerson, invitation } = fields
  const invites = invitation === undefined ? [] : (past.invites.get(invitationIdOfKey(invitation.key)) ?? [])
  if (newPerson !== undefined) noteRole(person, newPerson.role, past)
  for (const invite of invites) if (typeof invite.fields.person !== 'string') noteRole(person, invite.fields.role, past)
  noteAdmission(entry, { entry: hash, counts, person, by: [...invites.map((invite) => invite.author), author] }, past)
}

function noteAdmission({ certificate }: LedgerEntry, admission: Admission, { admissions }: Past): void {
  if (certificate !== undefined) push(admissions, certificate.device, admission)
}

function noteRole(person: PersonId, role: Role, { roles }: Past): void {
  roles.set(person, (roles.get(person) ?? new Set()).add(role))
}

function push<Key, Value>(lists: Map<Key, Value[]>, key: Key, value: Value): void {
  const list = lists.get(key)
  if (list === undefined) lists.set(key, [value])
  else list.push(value)
}
