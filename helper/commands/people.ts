import { formatTable, printable } from '../terminal/index.ts'
import type { Command } from './command.ts'
import { parseRole, ROLE_MEANS, ROLES } from './roles.ts'

/** `plexus people` */
export const peopleCommand: Command = {
  name: 'people',
  summary: 'Show the people of the mesh and what each may do.',
  async run(_input, context) {
    const client = await context.helper()
    const people = await client.call('people', {}, { signal: context.signal })
    const rows = people.map((person) => [
      printable(person.name),
      person.role,
      String(person.devices.length),
      person.own ? 'you' : '',
      person.id,
    ])
    return { json: people, text: formatTable(['NAME', 'ROLE', 'DEVICES', '', 'ID'], rows) }
  },
}

/** `plexus role` */
export const roleCommand: Command = {
  name: 'role',
  summary: 'Say what a person may do.',
  arguments: [
    { usage: '<person>', doc: 'id, name, or the beginning of either' },
    { usage: '<role>', doc: ROLES.join(', ') },
  ],
  async run(input, context) {
    const [person = '', typed = ''] = input.arguments
    const role = parseRole(typed)
    const client = await context.helper()
    const changed = await client.call('role', { person, role }, { signal: context.signal })
    return { json: changed, text: `${printable(changed.name)} is ${changed.role} now: ${ROLE_MEANS[changed.role]}.` }
  },
}
