import { MeshError } from '../../mesh/base/index.ts'
import type { PersonRole } from '../../mesh/people-types.ts'

/** What a person may be, as it is typed. */
export const ROLES = ['owner', 'member', 'helper-only', 'guest'] as const satisfies readonly PersonRole[]

/** What each role may do, for a terminal. */
export const ROLE_MEANS: Readonly<Record<PersonRole, string>> = {
  owner: 'does everything: invites and removes people, gives roles',
  member: 'asks, answers, reads and writes what is shared, adds own devices',
  'helper-only': 'answers and stores for others, and reads nothing',
  guest: 'asks and gets answers, and reads nothing that is shared',
}

/** A role that was typed. @throws MeshError `usage` naming the roles there are */
export function parseRole(text: string): PersonRole {
  const role = ROLES.find((name) => name === text.trim().toLowerCase())
  if (role === undefined) {
    throw new MeshError('usage', `There is no role "${text.slice(0, 40)}". There are: ${ROLES.join(', ')}.`)
  }
  return role
}
