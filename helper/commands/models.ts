import { resolve } from 'node:path'
import { existsSync } from 'node:fs'
import { MeshError } from '../../mesh/base/index.ts'
import type { LocalClient } from '../local/index.ts'
import { createProgressLine, formatBytes, formatTable, printable } from '../terminal/index.ts'
import type { Command, CommandContext, CommandResult } from './command.ts'

type Action = (model: string, client: LocalClient, context: CommandContext) => Promise<CommandResult>

async function list(_model: string, client: LocalClient, context: CommandContext): Promise<CommandResult> {
  const models = await client.call('models-list', {}, { signal: context.signal })
  const rows = models.map((model) => [
    printable(model.id),
    formatBytes(model.sizeBytes),
    model.state,
    model.sha256.slice(0, 16),
  ])
  const text =
    rows.length === 0
      ? 'There is no model on this device yet. "plexus models get" fetches one.'
      : formatTable(['MODEL', 'SIZE', 'STATE', 'SHA-256'], rows)
  return { json: models, text }
}

async function get(model: string, client: LocalClient, context: CommandContext): Promise<CommandResult> {
  const line = createProgressLine(context.err, context.clock, model.slice(-40))
  // a file is named from where the person is, not from where the helper runs
  const wanted = existsSync(model) ? resolve(model) : model
  try {
    const got = await client.call(
      'models-get',
      { model: wanted },
      {
        signal: context.signal,
        onEvent: (progress) => {
          line.update(progress)
        },
      },
    )
    return { json: got, text: `${printable(got.id)} is here (${formatBytes(got.sizeBytes)}).` }
  } finally {
    line.end()
  }
}

async function use(model: string, client: LocalClient, context: CommandContext): Promise<CommandResult> {
  const used = await client.call('models-use', { model }, { signal: context.signal })
  return { json: used, text: `${printable(used.id)} answers from now on.` }
}

async function remove(model: string, client: LocalClient, context: CommandContext): Promise<CommandResult> {
  const removed = await client.call('models-remove', { model }, { signal: context.signal })
  return { json: removed, text: `${printable(removed.removed)} is deleted from this device.` }
}

const ACTIONS: Readonly<Record<string, { readonly run: Action; readonly needsModel: boolean }>> = {
  list: { run: list, needsModel: false },
  get: { run: get, needsModel: true },
  use: { run: use, needsModel: true },
  remove: { run: remove, needsModel: true },
}

/** `plexus models` */
export const modelsCommand: Command = {
  name: 'models',
  summary: 'Show, fetch, choose or delete models of this device.',
  arguments: [
    { usage: '[action]', doc: 'list (default), get, use or remove' },
    { usage: '[model]', doc: 'name of the model; for get also a file' },
  ],
  async run(input, context) {
    const [name = 'list', model] = input.arguments
    const action = Object.hasOwn(ACTIONS, name) ? ACTIONS[name] : undefined
    if (action === undefined)
      throw new MeshError('usage', `"plexus models" knows ${Object.keys(ACTIONS).join(', ')}, not "${name}".`)
    if (action.needsModel && model === undefined)
      throw new MeshError('usage', `Which model? "plexus models ${name} <model>".`)
    if (!action.needsModel && model !== undefined)
      throw new MeshError('usage', `"plexus models ${name}" takes nothing more.`)
    return action.run(model ?? '', await context.helper(), context)
  },
}
