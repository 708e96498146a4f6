import { describeConfig } from '../config/index.ts'
import { formatTable } from '../terminal/index.ts'
import type { Command } from './command.ts'

/** `plexus config`; needs no running helper. */
export const configCommand: Command = {
  name: 'config',
  summary: 'Show every setting with its value and where it comes from.',
  settings: 'all',
  run(_input, context) {
    const settings = describeConfig(context.config)
    const rows = settings.map((setting) => [
      setting.key,
      setting.value === null ? '–' : String(setting.value),
      setting.from,
    ])
    const json = Object.fromEntries(settings.map(({ key, value, origin, from }) => [key, { value, origin, from }]))
    return Promise.resolve({
      json,
      text: `${formatTable(['SETTING', 'VALUE', 'FROM'], rows)}\n\nSettings file: ${context.config.file}`,
    })
  },
}
