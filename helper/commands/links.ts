import { MeshError } from '../../mesh/base/index.ts'
import { formatTable, printable, qrText, type Output } from '../terminal/index.ts'
import type { Command } from './command.ts'
import { parseRole, ROLES } from './roles.ts'

interface LinkLike {
  readonly url: string
  readonly expiresAt: number
}

function describeLink(link: LinkLike, out: Output, sentence: string): string {
  const until = new Date(link.expiresAt).toLocaleTimeString()
  const code = out.isTerminal ? `\n\n${qrText(link.url)}` : ''
  return `${sentence} It works once, until ${until}.\n\n${link.url}${code}`
}

/** `plexus invite` */
export const inviteCommand: Command = {
  name: 'invite',
  summary: 'Make a link that lets one more device in.',
  options: [
    { usage: '--person <name>', doc: 'for a device of another person' },
    { usage: '--role <role>', doc: `what that person may do: ${ROLES.join(', ')}; else member` },
    { usage: '--here', doc: 'a link for a browser of this machine, also while the local network is open' },
  ],
  async run(input, context) {
    const { person, role, here } = input.options
    if (typeof role === 'string' && typeof person !== 'string')
      throw new MeshError('usage', 'A role is of a person: name one with --person.')
    const wanted = {
      ...(typeof person === 'string' ? { person } : {}),
      ...(typeof role === 'string' ? { role: parseRole(role) } : {}),
      ...(here === true ? { here } : {}),
    }
    const client = await context.helper()
    const link = await client.call('invite', wanted, { signal: context.signal })
    return { json: link, text: describeLink(link, context.out, 'Open this link on the other device.') }
  },
}

/** `plexus invitations` */
export const invitationsCommand: Command = {
  name: 'invitations',
  summary: 'Show who was invited: open, used, run out and revoked.',
  async run(_input, context) {
    const client = await context.helper()
    const lines = await client.call('invitations', {}, { signal: context.signal })
    const rows = lines.map((line) => [
      line.state,
      line.person === '' ? 'own device' : printable(line.person),
      line.role,
      printable(line.madeByName),
      new Date(line.expiresAt).toLocaleString(),
      line.id,
    ])
    const text =
      rows.length === 0
        ? 'Nobody was invited yet. "plexus invite" makes a link.'
        : formatTable(['STATE', 'FOR', 'ROLE', 'MADE BY', 'UNTIL', 'ID'], rows)
    return { json: lines, text }
  },
}

/** `plexus uninvite` */
export const uninviteCommand: Command = {
  name: 'uninvite',
  summary: 'Take an open invitation back.',
  arguments: [{ usage: '<id>', doc: 'its id, or the beginning of it' }],
  async run(input, context) {
    const client = await context.helper()
    const answer = await client.call('uninvite', { invitation: input.arguments[0] ?? '' }, { signal: context.signal })
    return { json: answer, text: 'The invitation is revoked: its link admits nobody any more.' }
  },
}

/** `plexus open` */
export const openCommand: Command = {
  name: 'open',
  summary: "Make a fresh link for this machine's browser.",
  async run(_input, context) {
    const client = await context.helper()
    const link = await client.call('open', {}, { signal: context.signal })
    return {
      json: link,
      text: describeLink(link, { ...context.out, isTerminal: false }, 'Open this link in the browser of this machine.'),
    }
  },
}
