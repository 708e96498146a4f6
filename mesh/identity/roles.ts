/**
 * What a person may be in a mesh, from the most to the least: an *owner* decides who
 * belongs; a *member* reads, writes and asks; a *helper-only* answers, relays and keeps
 * what it cannot read; a *guest* asks.
 */
export const ROLES = ['owner', 'member', 'helper-only', 'guest'] as const

/** One of {@link ROLES}. */
export type Role = (typeof ROLES)[number]

/** The lesser of two roles: what counts when both were said at the same time. */
export function lowerRole(one: Role, other: Role): Role {
  return ROLES.indexOf(one) > ROLES.indexOf(other) ? one : other
}
