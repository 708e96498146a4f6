import * as z from 'zod'
import { operation, type Link } from '../operation.ts'

/**
 * Makes a link for another device of this person, or for another person; its maker
 * confirms it by making it. It leads to the best page for another device, or with
 * `here` to this machine's own. Without a secure page elsewhere it leads here too.
 */
export const invite = operation<{ person?: string | undefined; here?: boolean | undefined }, never, Link>({
  name: 'invite',
  input: z.object({ person: z.string().trim().min(1).max(60).optional(), here: z.boolean().optional() }),
  async run(input, { host, signal }) {
    const made = await host.mesh.invite({
      confirmation: 'in-advance',
      signal,
      ...(input.person === undefined ? {} : { person: input.person }),
    })
    const page = input.here === true ? undefined : host.pageAt('elsewhere')
    return { url: page === undefined ? made.url : `${page}#${made.fragment}`, expiresAt: made.expiresAt }
  },
})

/** Makes a fresh link for the browser of this machine. */
export const open = operation<Record<string, never>, never, Link>({
  name: 'open',
  input: z.strictObject({}),
  run: (_input, { host, signal }) => host.openLink({ signal }),
})
