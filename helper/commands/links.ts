import { qrText, type Output } from '../terminal/index.ts'
import type { Command } from './command.ts'

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
    { usage: '--here', doc: 'a link for a browser of this machine, also while the local network is open' },
  ],
  async run(input, context) {
    const { person, here } = input.options
    const client = await context.helper()
    const link = await client.call(
      'invite',
      { ...(typeof person === 'string' ? { person } : {}), ...(here === true ? { here } : {}) },
      { signal: context.signal },
    )
    return { json: link, text: describeLink(link, context.out, 'Open this link on the other device.') }
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

/** `plexus join` */
export const joinCommand: Command = {
  name: 'join',
  summary: 'Join the mesh that a link invites to.',
  arguments: [{ usage: '<url>', doc: 'the link' }],
  async run(input, context) {
    const client = await context.helper()
    const joined = await client.call(
      'join',
      { url: input.arguments[0] ?? '' },
      {
        signal: context.signal,
        onEvent(progress) {
          const pictures = progress.pictures?.join(' ')
          context.err.write(`${PHASES[progress.phase]}${pictures === undefined ? '' : ` ${pictures}`}\n`)
        },
      },
    )
    return { json: joined, text: `Admitted. The mesh of ${joined.device.name} is yours to ask.` }
  },
}

const PHASES = {
  finding: 'Looking for the device that invites…',
  connecting: 'Connecting…',
  proving: 'Showing the invitation…',
  comparing: 'Compare these pictures with the other device, and confirm there:',
  admitted: 'Admitted.',
} as const
