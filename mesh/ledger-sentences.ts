import type { DeviceId, PersonId } from './base/index.ts'
import { scopeOf, type FieldsOf, type LedgerEntry, type LedgerState } from './identity/index.ts'
import type { LedgerLine } from './people-types.ts'

type Sentence = LedgerLine['sentence']

/** What an entry says, as the name of a sentence and the names and numbers in it. */
export function sentenceOf(entry: LedgerEntry, state: LedgerState): Sentence {
  const { fields } = entry
  const device = (id: DeviceId): string => state.devices.get(id)?.name ?? '…'
  const person = (id: PersonId): string => state.people.get(id)?.name ?? '…'
  switch (fields.type) {
    case 'create':
      return { key: 'create', values: { name: fields.name || fields.person.name } }
    case 'admit':
      return admission(fields, entry.certificate?.name ?? '…', person, state)
    case 'certify':
      return { key: 'certify', values: { name: entry.certificate?.name ?? '…' } }
    case 'revoke':
      if (fields.person !== undefined) return { key: 'revoke.person', values: { person: person(fields.person) } }
      return {
        key: fields.device === entry.author ? 'revoke.self' : 'revoke.device',
        values: { name: fields.device === undefined ? '…' : device(fields.device) },
      }
    case 'role':
      return { key: 'role', values: { person: person(fields.person), role: fields.role } }
    case 'rename':
      if (fields.device !== undefined) return { key: 'rename.device', values: { name: fields.name } }
      if (fields.person !== undefined) return { key: 'rename.person', values: { name: fields.name } }
      return { key: 'rename.mesh', values: { name: fields.name } }
    case 'invite':
      return typeof fields.person === 'string'
        ? { key: 'invite.own', values: {} }
        : { key: 'invite.person', values: { person: fields.person.name, role: fields.role } }
    case 'recovery': {
      const owner = state.devices.get(entry.author)?.person
      const key = fields.keys === null ? 'recovery.removed' : 'recovery.set'
      return { key, values: { person: owner === undefined ? '…' : person(owner) } }
    }
    case 'rotate': {
      const scope = scopeOf(fields.scope)
      const values = { generation: fields.generation, count: fields.sealed.length }
      if (scope.kind !== 'person') return { key: `rotate.${scope.kind}`, values }
      return { key: 'rotate.person', values: { ...values, person: person(scope.person) } }
    }
    case 'share': {
      const to = fields.to as string
      const name = to.startsWith('recovery:') ? person(to.slice(9) as PersonId) : device(to as DeviceId)
      return { key: 'share', values: { name } }
    }
    case 'room':
      return { key: 'room', values: { count: fields.people.length } }
    case 'invite-revoked':
    case 'room-people':
    case 'unknown':
      return { key: fields.type, values: {} }
  }
}

function admission(
  fields: FieldsOf<'admit'>,
  name: string,
  person: (id: PersonId) => string,
  state: LedgerState,
): Sentence {
  const owner = state.people.get(fields.person)
  const values = { name, person: person(fields.person), role: owner?.role ?? 'guest' }
  if (fields.recovery !== undefined) return { key: 'admit.recovered', values }
  const invited = [...state.invitations.values()].find((one) => one.person === fields.person && one.personName !== null)
  const isNew = fields.newPerson !== undefined || invited !== undefined
  return { key: isNew ? 'admit.person' : 'admit.own', values }
}
