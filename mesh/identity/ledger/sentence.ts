import type { EntryFields, LedgerEntry } from './entry.ts'

/** What one entry did, for a sentence: the key picks the words, the values fill them. Words come from elsewhere. */
export interface EntrySentence {
  readonly key: SentenceKey
  readonly values: Readonly<Record<string, string | number>>
}

/** Every sentence there is: the type of the entry, and its variant where it has several. */
export const SENTENCE_KEYS = [
  'create',
  'admit.invitation',
  'admit.recovery',
  'admit.new-person',
  'admit.device',
  'certify',
  'revoke.self',
  'revoke.device',
  'revoke.person',
  'role',
  'rename.device',
  'rename.person',
  'rename.mesh',
  'invite.device',
  'invite.person',
  'invite-revoked',
  'recovery.set',
  'recovery.cleared',
  'rotate',
  'share',
  'room',
  'room-people',
  'unknown',
] as const

/** One of {@link SENTENCE_KEYS}. */
export type SentenceKey = (typeof SENTENCE_KEYS)[number]

/** The sentence of an entry. `author` and `at` are in every one; ids stand where a name is to be looked up. */
export function sentenceOf(entry: LedgerEntry): EntrySentence {
  const { key, values } = partsOf(entry)
  return { key, values: { author: entry.author, at: entry.at, ...values } }
}

type Parts = EntrySentence

function partsOf({ fields, author, certificate }: LedgerEntry): Parts {
  switch (fields.type) {
    case 'create':
      return { key: 'create', values: { mesh: fields.name, person: fields.person.name } }
    case 'admit':
      return {
        key: wayOf(fields),
        values: { device: certificate?.device ?? '', ...nameOf(certificate?.name), ...admitted(fields) },
      }
    case 'certify':
      return { key: 'certify', values: { device: author, ...nameOf(certificate?.name) } }
    case 'revoke':
      if (fields.person !== undefined) return { key: 'revoke.person', values: { person: fields.person } }
      return {
        key: fields.device === author ? 'revoke.self' : 'revoke.device',
        values: { device: fields.device ?? '' },
      }
    case 'role':
      return { key: 'role', values: { person: fields.person, role: fields.role } }
    case 'rename':
      return renamed(fields)
    case 'invite':
      return typeof fields.person === 'string'
        ? { key: 'invite.device', values: { person: fields.person } }
        : { key: 'invite.person', values: { name: fields.person.name, role: fields.role } }
    case 'invite-revoked':
      return { key: 'invite-revoked', values: { invitation: fields.id } }
    case 'recovery':
      return { key: fields.keys === null ? 'recovery.cleared' : 'recovery.set', values: { person: fields.person } }
    case 'rotate':
      return { key: 'rotate', values: { scope: fields.scope, generation: fields.generation } }
    case 'share':
      return { key: 'share', values: { scope: fields.scope, to: fields.to, count: fields.epochs.length } }
    case 'room':
      return { key: 'room', values: { count: fields.people.length } }
    case 'room-people':
      return {
        key: 'room-people',
        values: { room: fields.room, added: fields.add.length, removed: fields.remove.length },
      }
    case 'unknown':
      return { key: 'unknown', values: {} }
  }
}

type FieldsNamed<Type extends EntryFields['type']> = Extract<EntryFields, { type: Type }>

function wayOf(fields: FieldsNamed<'admit'>): SentenceKey {
  if (fields.invitation !== undefined) return 'admit.invitation'
  if (fields.recovery !== undefined) return 'admit.recovery'
  return fields.newPerson === undefined ? 'admit.device' : 'admit.new-person'
}

function admitted(fields: FieldsNamed<'admit'>): Record<string, string> {
  const { person, newPerson } = fields
  return newPerson === undefined ? { person } : { person, personName: newPerson.name, role: newPerson.role }
}

function nameOf(name: string | undefined): Record<string, string> {
  return name === undefined ? {} : { name }
}

function renamed(fields: FieldsNamed<'rename'>): Parts {
  const { name } = fields
  if (fields.device !== undefined) return { key: 'rename.device', values: { device: fields.device, name } }
  if (fields.person !== undefined) return { key: 'rename.person', values: { person: fields.person, name } }
  return { key: 'rename.mesh', values: { name } }
}
