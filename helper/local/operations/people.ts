import * as z from 'zod'
import type { PersonRole, PersonView } from '../../../mesh/people-types.ts'
import { findPerson } from '../find-named.ts'
import { operation } from '../operation.ts'

/** A person as scripts see it. `devices` are peer ids. */
export type PersonLine = Pick<PersonView, 'id' | 'name' | 'role' | 'own' | 'devices'>

/** What a person may be in a mesh, in words of the command line. */
export const roleText = z.enum(['owner', 'member', 'helper-only', 'guest'])

/** Every person of the mesh, the one of this device first. */
export const people = operation<Record<string, never>, never, PersonLine[]>({
  name: 'people',
  input: z.strictObject({}),
  run: (_input, { host }) =>
    Promise.resolve(
      host.mesh.people().map(({ id, name, role, own, devices }) => ({ id, name, role, own, devices: [...devices] })),
    ),
})

/** Gives a person another role. */
export const setRole = operation<
  { person: string; role: PersonRole },
  never,
  { id: string; name: string; role: PersonRole }
>({
  name: 'role',
  input: z.object({ person: z.string().min(1).max(200), role: roleText }),
  async run(input, { host, signal }) {
    const { id, name } = findPerson(host.mesh.people(), input.person)
    await host.mesh.setRole(id, input.role, { signal })
    return { id, name, role: input.role }
  },
})
