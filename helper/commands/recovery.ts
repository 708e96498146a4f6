import { open } from 'node:fs/promises'
import { MeshError, messageOf, RECOVERY_TEXT_MAX_LENGTH } from '../../mesh/base/index.ts'
import { formatTable, printable } from '../terminal/index.ts'
import type { RecoveryState } from '../local/index.ts'
import type { Command, CommandContext, CommandInput, CommandResult } from './command.ts'

const ACTIONS = { status, make, remove } satisfies Record<string, Action>

type Action = (input: CommandInput, context: CommandContext) => Promise<CommandResult>

/** `plexus recovery` */
export const recoveryCommand: Command = {
  name: 'recovery',
  summary: 'Make words that bring you back when all your devices are lost, or take them back.',
  arguments: [{ usage: '[action]', doc: 'make, remove, or status (the default)' }],
  options: [{ usage: '--parts', doc: 'make: show three parts, any two of which are the words' }],
  run(input, context) {
    const action = input.arguments[0] ?? 'status'
    if (!isAction(action))
      throw new MeshError('usage', `"plexus recovery" takes make, remove or status, not "${action.slice(0, 60)}".`)
    if (input.options['parts'] === true && action !== 'make')
      throw new MeshError('usage', 'Parts are shown when they are made: plexus recovery make --parts.')
    return ACTIONS[action](input, context)
  },
}

function isAction(text: string): text is keyof typeof ACTIONS {
  return Object.hasOwn(ACTIONS, text)
}

async function status(_input: CommandInput, context: CommandContext): Promise<CommandResult> {
  const state = await (await context.helper()).call('recovery-status', {}, { signal: context.signal })
  return { json: state, text: sentenceOf(state) }
}

async function remove(_input: CommandInput, context: CommandContext): Promise<CommandResult> {
  const state = await (await context.helper()).call('recovery-remove', {}, { signal: context.signal })
  return { json: state, text: sentenceOf(state) }
}

async function make(input: CommandInput, context: CommandContext): Promise<CommandResult> {
  const made = await (await context.helper()).call('recovery-make', {}, { signal: context.signal })
  const { words, parts, ...state } = made
  const where = `Any device of your mesh brings you back, so write down where one is too:\n${state.addresses.join('\n')}`
  if (input.options['parts'] === true) {
    const shown = parts.map(({ number, text }) => `Part ${String(number)}\n${text}`).join('\n\n')
    const text = `Give these three parts to different people or places. Any two bring you back, one alone says nothing. They are shown this once, and earlier ones work no more.\n\n${shown}\n\n${where}`
    return { json: { ...state, parts }, text }
  }
  const shown = words.map((word, index) => `${String(index + 1).padStart(2)}  ${word}`).join('\n')
  const text = `Write these words down, on paper. Whoever has them is you. They are shown this once, and earlier ones work no more.\n\n${shown}\n\n${where}`
  return { json: { ...state, words }, text }
}

function sentenceOf({ since, by }: RecoveryState): string {
  return since === null
    ? 'There are no recovery words: with all your devices lost, nobody brings you back. "plexus recovery make" makes them.'
    : `There are recovery words or parts since ${new Date(since).toLocaleString()}, made on ${printable(by ?? '')}. Nobody can show them again.`
}

/** `plexus recover` */
export const recoverCommand: Command = {
  name: 'recover',
  summary: 'Come back with recovery words, or two of three parts, when your devices are lost.',
  arguments: [{ usage: '<place>', doc: 'a device of your mesh: its address, its page, or any link, also a used one' }],
  options: [{ usage: '--words-file <file>', doc: 'read the words or parts from a file; else they are asked for, or read from the input' }], // prettier-ignore
  async run(input, context) {
    const client = await context.helper()
    const secret = await secretOf(input, context)
    const done = await client.call(
      'recover',
      { secret, place: input.arguments[0] ?? '' },
      {
        signal: context.signal,
        onEvent: ({ phase }) => context.err.write(`${PHASES[phase]}\n`),
      },
    )
    const rows = done.others.map((device) => [printable(device.name), device.state, device.id])
    const others =
      rows.length === 0
        ? ''
        : `\n\nYour other devices. Those that are lost, remove now: "plexus remove DEVICE".\n\n${formatTable(['DEVICE', 'STATE', 'ID'], rows)}`
    return { json: done, text: `You are back: this is a device of yours again, let in by ${printable(done.device.name)}.${others}` } // prettier-ignore
  },
}

const PHASES = {
  connecting: 'Connecting…',
  proving: 'Showing that the words are known…',
  opening: 'Opening what was kept for you…',
} as const

/** From the file named, else typed, else all of the input: never from the command line, which others can see. */
async function secretOf(input: CommandInput, context: CommandContext): Promise<string> {
  const file = input.options['wordsFile']
  if (typeof file === 'string') return fileText(file)
  const { askSecret, readInput, signal } = context
  const given =
    askSecret === undefined
      ? await readInput?.(RECOVERY_TEXT_MAX_LENGTH, { signal })
      : await askSecret('Recovery words, or two parts: ', { signal })
  if (given === undefined) throw new MeshError('aborted', 'Stopped.')
  if (given.trim() === '')
    throw new MeshError('usage', 'There are no words. Put them into the input, or name a file with --words-file.')
  return given
}

async function fileText(file: string): Promise<string> {
  try {
    const handle = await open(file, 'r')
    try {
      const { buffer, bytesRead } = await handle.read(Buffer.alloc(RECOVERY_TEXT_MAX_LENGTH + 1))
      if (bytesRead > RECOVERY_TEXT_MAX_LENGTH) throw new MeshError('usage', `${file} holds more than words or parts.`)
      return buffer.toString('utf8', 0, bytesRead)
    } finally {
      await handle.close()
    }
  } catch (error) {
    if (error instanceof MeshError) throw error
    throw new MeshError('config-invalid', `The words cannot be read from ${file}: ${messageOf(error)}.`, {
      cause: error,
    })
  }
}
