import { formatTable, printable } from '../terminal/index.ts'
import type { Command } from './command.ts'

/** `plexus devices` */
export const devicesCommand: Command = {
  name: 'devices',
  summary: 'Show the devices of the mesh.',
  async run(_input, context) {
    const client = await context.helper()
    const devices = await client.call('devices', {}, { signal: context.signal })
    const rows = devices.map((device) => [
      printable(device.name),
      device.state,
      device.path,
      device.rttMs === null ? '–' : `${device.rttMs.toFixed(1)} ms`,
      device.role,
      device.id,
    ])
    return { json: devices, text: formatTable(['NAME', 'STATE', 'PATH', 'RTT', 'ROLE', 'ID'], rows) }
  },
}

/** `plexus remove` */
export const removeCommand: Command = {
  name: 'remove',
  summary: 'Cut a device off for good, or a person with all devices.',
  arguments: [{ usage: '<device>', doc: 'id or name of a device or person, or the beginning of either' }],
  async run(input, context) {
    const client = await context.helper()
    const removed = await client.call('remove', { device: input.arguments[0] ?? '' }, { signal: context.signal })
    return { json: removed, text: `${printable(removed.name)} is removed. It can come back only by a new invitation.` }
  },
}

/** `plexus rename` */
export const renameCommand: Command = {
  name: 'rename',
  summary: 'Give a device another name.',
  arguments: [
    { usage: '<device>', doc: 'id, name, or the beginning of either' },
    { usage: '<name>', doc: 'the new name, at most 60 characters' },
  ],
  async run(input, context) {
    const [device = '', name = ''] = input.arguments
    const client = await context.helper()
    const renamed = await client.call('rename', { device, name }, { signal: context.signal })
    return { json: renamed, text: `It is called ${printable(renamed.name)} now.` }
  },
}
