import { MeshError } from '../../mesh/base/index.ts'
import type { JoinProgress } from '../../mesh/mesh-types.ts'
import { pictureWords, type LocalClient } from '../local/index.ts'
import { formatTable, printable } from '../terminal/index.ts'
import type { Command, CommandContext } from './command.ts'

/** `plexus join` */
export const joinCommand: Command = {
  name: 'join',
  summary: 'Join the mesh that a link invites to.',
  arguments: [{ usage: '<url>', doc: 'the link' }],
  async run(input, context) {
    const client = await context.helper()
    const url = input.arguments[0] ?? ''
    const asking = new AbortController()
    const signal = AbortSignal.any([context.signal, asking.signal])
    const onEvent = (progress: JoinProgress): void => {
      context.err.write(`${PHASES[progress.phase]}\n`)
      if (progress.pictures === undefined) return
      context.err.write(`\n  ${pictureWords(progress.pictures).join('   ')}\n\n`)
      if (progress.asks !== true) return
      answerHere(client, url, context).catch((error: unknown) => {
        asking.abort(error)
      })
    }
    const joined = await client.call('join', { url }, { signal, onEvent })
    return { json: joined, text: `Admitted. The mesh of ${joined.device.name} is yours to ask.` }
  },
}

/** Nothing is joined before the person at this terminal has said that both show the same. */
async function answerHere(client: LocalClient, url: string, context: CommandContext): Promise<void> {
  if (context.askSecret === undefined) {
    throw new MeshError(
      'usage',
      'This helper holds chats, rooms or a mesh that would be shared or left, so somebody has to compare here too. Run it in a terminal.',
    )
  }
  const question = 'Does the other device show the same, in this order? Type yes or no: '
  const answer = await context.askSecret(question, { signal: context.signal })
  const matches = /^y(es)?$/i.test(answer?.trim() ?? '')
  await client.call('join-agree', { url, matches }, { signal: context.signal })
  if (matches) context.err.write('Waiting for the other device to say so too…\n')
}

/** `plexus joins` */
export const joinsCommand: Command = {
  name: 'joins',
  summary: 'Show devices that wait for their pictures, and say whether they match.',
  arguments: [
    { usage: '[action]', doc: 'match, differ, or list (the default)' },
    { usage: '[device]', doc: 'which one' },
  ],
  async run(input, context) {
    const [action = 'list', device] = input.arguments
    const client = await context.helper()
    if (action === 'list') return list(client, context)
    if (action !== 'match' && action !== 'differ')
      throw new MeshError('usage', `"plexus joins" takes match, differ or list, not "${action.slice(0, 60)}".`)
    if (device === undefined) throw new MeshError('usage', 'Say which device: its name, or the beginning of it.')
    const matches = action === 'match'
    const done = await client.call('joins-settle', { device, matches }, { signal: context.signal })
    const name = printable(done.name)
    const yes = done.admitted ? `${name} is let in.` : `${name} is let in as soon as it is confirmed there too.`
    const text = matches ? yes : `${printable(done.name)} was turned away, and its invitation is over.`
    return { json: done, text }
  },
}

async function list(client: LocalClient, { signal }: CommandContext): ReturnType<Command['run']> {
  const lines = await client.call('joins', {}, { signal })
  const rows = lines.map(({ name, person, role, path, pictures }) => [
    printable(name),
    person === '' ? 'own device' : printable(person),
    role,
    path,
    pictures.join(' '),
  ])
  const text =
    rows.length === 0
      ? 'No device waits for its pictures.'
      : `${formatTable(['DEVICE', 'FOR', 'ROLE', 'PATH', 'PICTURES'], rows)}\n\nIf the other device shows the same: plexus joins match DEVICE. If not: plexus joins differ DEVICE.`
  return { json: lines, text }
}

const PHASES = {
  finding: 'Looking for the device that invites…',
  connecting: 'Connecting…',
  proving: 'Showing the invitation…',
  comparing: 'Compare these pictures with the other device:',
  admitted: 'Admitted.',
} as const
