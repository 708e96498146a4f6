import * as z from 'zod'
import { operation, type Link } from '../operation.ts'

/** Makes a link for another device of this person, or for another person; its maker confirms it by making it. */
export const invite = operation<{ person?: string | undefined }, never, Link>({
  name: 'invite',
  input: z.object({ person: z.string().trim().min(1).max(60).optional() }),
  async run(input, { host, signal }) {
    const made = await host.mesh.invite({
      confirmation: 'in-advance',
      signal,
      ...(input.person === undefined ? {} : { person: input.person }),
    })
    return { url: made.url, expiresAt: made.expiresAt }
  },
})

/** Makes a fresh link for the browser of this machine. */
export const open = operation<Record<string, never>, never, Link>({
  name: 'open',
  input: z.strictObject({}),
  run: (_input, { host, signal }) => host.openLink({ signal }),
})
