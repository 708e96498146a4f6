import * as z from 'zod'
import type { InvitationLine, PersonRole } from '../../../mesh/people-types.ts'
import { findInvitation } from '../find-named.ts'
import { operation, type Link } from '../operation.ts'
import { roleText } from './people.ts'

interface InviteInput {
  readonly person?: string | undefined
  readonly role?: PersonRole | undefined
  readonly here?: boolean | undefined
}

/**
 * Makes a link for another device of this person, or for another person; its maker
 * confirms it by making it. It leads to the best page for another device, or with
 * `here` to this machine's own. Without a secure page elsewhere it leads here too.
 */
export const invite = operation<InviteInput, never, Link>({
  name: 'invite',
  input: z
    .object({
      person: z.string().trim().min(1).max(60).optional(),
      role: roleText.optional(),
      here: z.boolean().optional(),
    })
    .refine(({ person, role }) => role === undefined || person !== undefined, {
      path: ['role'],
      message: 'a role is of a person, so a name is needed too',
    }),
  async run(input, { host, signal }) {
    const made = await host.mesh.invite({
      confirmation: 'in-advance',
      signal,
      ...(input.person === undefined ? {} : { person: input.person }),
      ...(input.role === undefined ? {} : { role: input.role }),
    })
    const page = input.here === true ? undefined : host.pageAt('elsewhere')
    return { url: page === undefined ? made.url : `${page}#${made.fragment}`, expiresAt: made.expiresAt }
  },
})

/** Every invitation of the mesh, without its secret. */
export const invitations = operation<Record<string, never>, never, InvitationLine[]>({
  name: 'invitations',
  input: z.strictObject({}),
  run: (_input, { host }) => Promise.resolve([...host.mesh.invitations()]),
})

/** Takes an open invitation back. */
export const uninvite = operation<{ invitation: string }, never, { revoked: string }>({
  name: 'uninvite',
  input: z.object({ invitation: z.string().min(1).max(200) }),
  async run(input, { host, signal }) {
    const id = findInvitation(host.mesh.invitations(), input.invitation)
    await host.mesh.revokeInvitation(id, { signal })
    return { revoked: id }
  },
})

/** Makes a fresh link for the browser of this machine. */
export const open = operation<Record<string, never>, never, Link>({
  name: 'open',
  input: z.strictObject({}),
  run: (_input, { host, signal }) => host.openLink({ signal }),
})
