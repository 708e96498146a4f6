import { resolve } from 'node:path'
import { MeshError } from '../../mesh/base/index.ts'
import { formatBytes, printable } from '../terminal/index.ts'
import type { Command, CommandInput } from './command.ts'
import { knownPassphrase, newPassphrase, PASSPHRASE_FILE } from './passphrase.ts'

/** `plexus export` */
export const exportCommand: Command = {
  name: 'export',
  summary: 'Write all rooms and chats into one file, sealed with a passphrase.',
  arguments: [{ usage: '<file>', doc: 'where to; an archive that is there already is replaced' }],
  options: [PASSPHRASE_FILE],
  async run(input, context) {
    const file = fileOf(input)
    const client = await context.helper()
    const passphrase = await newPassphrase(input, context)
    const made = await client.call('export', { file, passphrase }, { signal: context.signal })
    const text = `${printable(made.file)} is written (${formatBytes(made.sizeBytes)}). Without its passphrase it opens to nobody.`
    return { json: made, text }
  },
}

/** `plexus import` */
export const importCommand: Command = {
  name: 'import',
  summary: 'Bring the rooms and chats of an exported file into this mesh.',
  arguments: [{ usage: '<file>', doc: 'what "plexus export" wrote' }],
  options: [PASSPHRASE_FILE],
  async run(input, context) {
    const file = fileOf(input)
    const client = await context.helper()
    const passphrase = await knownPassphrase(input, context)
    const done = await client.call('import', { file, passphrase }, { signal: context.signal })
    const text = `New here: ${counted(done.rooms, 'room')} and ${counted(done.chats, 'chat')}. What was here already is as it was.`
    return { json: done, text }
  },
}

function fileOf(input: CommandInput): string {
  const [file = ''] = input.arguments
  if (file.trim() === '') throw new MeshError('usage', 'There is no file. Put its name behind the command.')
  // the helper has another current directory than whoever types
  return resolve(file)
}

function counted(count: number, what: string): string {
  return `${String(count)} ${what}${count === 1 ? '' : 's'}`
}
