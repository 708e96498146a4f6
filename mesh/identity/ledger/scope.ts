import * as z from 'zod/mini'
import { asId, type EntryHash, type PersonId, type RoomId } from '../../base/index.ts'
import { text } from '../../wire/index.ts'

/** Who may read something: all owners and members, the devices of one person, or the people of one room. */
export type ScopeId = 'mesh' | `person:${PersonId}` | `room:${RoomId}`

/** A scope from outside. */
export const scopeId = text(40).check(
  z.regex(/^(?:mesh|person:[0-9a-f]{32}|room:[0-9a-f]{32})$/),
) as unknown as z.ZodMiniType<ScopeId>

/** A {@link ScopeId} in its parts. */
export type Scope =
  | { readonly kind: 'mesh' }
  | { readonly kind: 'person'; readonly person: PersonId }
  | { readonly kind: 'room'; readonly room: RoomId }

/** The parts of a scope's id. */
export function scopeOf(id: ScopeId): Scope {
  if (id === 'mesh') return { kind: 'mesh' }
  const value = id.slice(id.indexOf(':') + 1)
  return id.startsWith('person:')
    ? { kind: 'person', person: asId<PersonId>(value) }
    : { kind: 'room', room: asId<RoomId>(value) }
}

/** The scope of one person's own devices. */
export function personScope(person: PersonId): ScopeId {
  return `person:${person}`
}

/** The scope of one room. */
export function roomScope(room: RoomId): ScopeId {
  return `room:${room}`
}

/**
 * The id of the room an entry made. It is taken from the entry's hash, so that
 * nobody can make a second room of the same id and put other people into it.
 */
export function roomIdOf(entry: EntryHash): RoomId {
  return asId<RoomId>(entry.slice(0, 32))
}
