import * as z from 'zod'
import type { PendingJoin } from '../../../mesh/mesh-types.ts'
import { findJoin } from '../find-named.ts'
import { operation } from '../operation.ts'
import { pictureWords } from '../picture-words.ts'

/** A device that waits for its pictures, as scripts see it. */
export type JoinLine = Pick<PendingJoin, 'device' | 'name' | 'kind' | 'person' | 'role' | 'path'> & {
  /** Their names, in order. */
  readonly pictures: readonly string[]
}

function describe({ device, name, kind, person, role, path, pictures }: PendingJoin): JoinLine {
  return { device, name, kind, person, role, path, pictures: pictureWords(pictures) }
}

/** Devices that wait for somebody of this person to compare pictures. */
export const joins = operation<Record<string, never>, never, JoinLine[]>({
  name: 'joins',
  input: z.strictObject({}),
  run: (_input, { host }) => Promise.resolve(host.mesh.pendingJoins().map(describe)),
})

/** A person's word about one of them. */
export const settleJoin = operation<{ device: string; matches: boolean }, never, { admitted: boolean; name: string }>({
  name: 'joins-settle',
  input: z.object({ device: z.string().min(1).max(200), matches: z.boolean() }),
  async run({ device, matches }, { host, signal }) {
    const { invitation, name, device: joiner } = findJoin(host.mesh.pendingJoins(), device)
    await host.mesh.settleJoin(invitation, matches, { signal })
    // with a yes it is in at once, or as soon as its own person has said so too
    return { admitted: matches && host.mesh.devices().some(({ id }) => id === joiner), name }
  },
})

/** A person's word about the pictures that a join of this helper shows. */
export const agreeToJoin = operation<{ url: string; matches: boolean }, never, { agreed: boolean }>({
  name: 'join-agree',
  input: z.object({ url: z.string().trim().min(1).max(4096), matches: z.boolean() }),
  async run({ url, matches }, { host }) {
    await host.mesh.agreeToJoin(url, matches)
    return { agreed: matches }
  },
})
