import { MeshError } from '../../mesh/base/index.ts'
import type { LockState } from '../local/index.ts'
import type { Command, CommandContext, CommandInput } from './command.ts'
import { newPassphrase, PASSPHRASE_FILE } from './passphrase.ts'

const ACTIONS = {
  status: async (client, _input, { signal }) => client.call('lock-status', {}, { signal }),
  async set(client, input, context) {
    const passphrase = await newPassphrase(input, context)
    return client.call('lock-set', { passphrase }, { signal: context.signal })
  },
  remove: async (client, _input, { signal }) => client.call('lock-remove', {}, { signal }),
} satisfies Record<string, Action>

type Action = (
  client: Awaited<ReturnType<CommandContext['helper']>>,
  input: CommandInput,
  context: CommandContext,
) => Promise<LockState>

/** `plexus lock` */
export const lockCommand: Command = {
  name: 'lock',
  summary: 'Lock the data of this helper with a passphrase, or take the lock away.',
  arguments: [{ usage: '[action]', doc: 'set, remove, or status (the default)' }],
  options: [PASSPHRASE_FILE],
  async run(input, context) {
    const action = input.arguments[0] ?? 'status'
    if (!isAction(action)) {
      throw new MeshError('usage', `"plexus lock" takes set, remove or status, not "${action.slice(0, 60)}".`)
    }
    const state = await ACTIONS[action](await context.helper(), input, context)
    return { json: { locked: state.isLocked }, text: sentenceOf(state) }
  },
}

function isAction(text: string): text is keyof typeof ACTIONS {
  return Object.hasOwn(ACTIONS, text)
}

function sentenceOf({ isLocked }: LockState): string {
  return isLocked
    ? 'The data is locked: without the passphrase this directory opens to nobody. Each start asks for it, or reads it from PLEXUS_PASSPHRASE_FILE. It cannot be recovered.'
    : 'The data is sealed with a key in this directory: every start opens it by itself. "plexus lock set" asks for a passphrase instead.'
}
