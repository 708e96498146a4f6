import type { PersonRole } from '../../../../mesh/people-types.ts'

/** Roles, from the most rights to the fewest. */
export const ROLES = ['owner', 'member', 'guest', 'helper-only'] as const satisfies readonly PersonRole[]

/** What one may be allowed to do in a mesh, in words of `right.<name>`. */
export const RIGHTS = ['ask', 'answer', 'store', 'read', 'own-devices', 'invite', 'remove'] as const

/** One of {@link RIGHTS}. */
export type Right = (typeof RIGHTS)[number]

const RIGHTS_OF: Readonly<Record<PersonRole, readonly Right[]>> = {
  owner: RIGHTS,
  member: ['ask', 'answer', 'store', 'read', 'own-devices'],
  guest: ['ask'],
  'helper-only': ['answer', 'store'],
}

/** The rules of the mesh as they are told to people; the mesh itself decides by its own. */
export function mayDo(role: PersonRole, right: Right): boolean {
  return RIGHTS_OF[role].includes(right)
}
