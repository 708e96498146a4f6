import { MeshError } from '../../mesh/base/index.ts'
import type { ReadLine } from '../local/index.ts'
import { formatTable, printable } from '../terminal/index.ts'
import type { Command, CommandContext, CommandInput, CommandResult } from './command.ts'

const ROOM = { usage: '<room>', doc: 'id, name, or the beginning of either' }

/** `plexus rooms [create NAME]` */
export const roomsCommand: Command = {
  name: 'rooms',
  summary: 'Show the rooms you are in, or make one.',
  arguments: [
    { usage: '[action]', doc: 'create, or list (the default)' },
    { usage: '[name]', doc: 'with create: how the room is called' },
  ],
  options: [
    {
      usage: '--person <person>',
      doc: 'with create: who takes part beside you; may be given several times',
      isRepeatable: true,
    },
  ],
  run(input, context) {
    const action = input.arguments[0] ?? 'list'
    if (action === 'list') return listRooms(context)
    if (action === 'create') return createRoom(input, context)
    throw new MeshError('usage', `"plexus rooms" takes list or create, not "${action.slice(0, 60)}".`)
  },
}

async function listRooms(context: CommandContext): Promise<CommandResult> {
  const client = await context.helper()
  const rooms = await client.call('rooms', {}, { signal: context.signal })
  const rows = rooms.map(({ id, name, unread }) => [name === '' ? '…' : printable(name), String(unread), id])
  return { json: rooms, text: formatTable(['NAME', 'UNREAD', 'ID'], rows) }
}

async function createRoom(input: CommandInput, context: CommandContext): Promise<CommandResult> {
  const name = input.arguments[1]?.trim() ?? ''
  if (name === '') throw new MeshError('usage', 'A room needs a name. Put it behind "plexus rooms create".')
  const named = input.options['person']
  const people = typeof named === 'object' ? named : []
  const client = await context.helper()
  const made = await client.call('rooms-create', { name, people }, { signal: context.signal })
  return { json: made, text: `The room "${printable(made.name)}" is there. Its id is ${made.id}.` }
}

/** `plexus say` */
export const sayCommand: Command = {
  name: 'say',
  summary: 'Write a message into a room; with @ai in it the AI answers there.',
  arguments: [ROOM, { usage: '<text...>', doc: 'the message' }],
  async run(input, context) {
    const [room = '', ...words] = input.arguments
    const text = words.join(' ')
    if (text.trim() === '') throw new MeshError('usage', 'There is no message. Put it behind the room.')
    const client = await context.helper()
    const said = await client.call('say', { room, text }, { signal: context.signal })
    return { json: said, text: `It is stored on this device (${said.state}).` }
  },
}

/** `plexus read` */
export const readCommand: Command = {
  name: 'read',
  summary: 'Show the messages of a room, in the order all its devices have.',
  arguments: [ROOM],
  async run(input, context) {
    const client = await context.helper()
    const lines = await client.call('rooms-read', { room: input.arguments[0] ?? '' }, { signal: context.signal })
    return { json: lines, text: lines.map(lineText).join('\n') }
  },
}

function lineText(line: ReadLine): string {
  const author = line.author === 'ai' ? 'AI' : printable(line.author)
  const claim = line.imported
  const from =
    claim === undefined
      ? ''
      : ` imported, written by ${printable(claim.author)} on ${new Date(claim.writtenAt).toLocaleString()}`
  const text = line.state === 'deleted' ? '(deleted)' : line.state === 'coming' ? '(coming)' : printable(line.text)
  return `${new Date(line.writtenAt).toLocaleString()}  ${author} (${line.state})${from}: ${text}`
}
