import { setTimeout as pause } from 'node:timers/promises'
import { isMeshError, MeshError } from '../../mesh/base/index.ts'
import { findDirOwner, readReadiness } from '../data-dir/index.ts'
import type { LanState } from '../local/index.ts'
import type { Command, CommandContext } from './command.ts'

const STOP_LIMIT_MS = 10_000
const RESTART_LIMIT_MS = 30_000
const POLL_MS = 50

/** `plexus token` */
export const tokenCommand: Command = {
  name: 'token',
  summary: 'Print the token that programs show to the gateway.',
  async run(_input, context) {
    const client = await context.helper()
    const { token } = await client.call('token', {}, { signal: context.signal })
    return { json: { token }, text: token }
  },
}

/** `plexus lan` */
export const lanCommand: Command = {
  name: 'lan',
  summary: 'Open the local network for your devices, or close it.',
  arguments: [{ usage: '[on|off]', doc: 'without it: which it is' }],
  async run(input, context) {
    const wanted = input.arguments[0]
    if (wanted !== undefined && wanted !== 'on' && wanted !== 'off')
      throw new MeshError('usage', `"plexus lan" takes on or off, not "${wanted}".`)
    const client = await context.helper()
    let state = await client.call('lan', wanted === undefined ? {} : { open: wanted === 'on' }, {
      signal: context.signal,
    })
    if (state.isRestarting === true) state = await lanAfterRestart(wanted === 'on', context)
    const sentence = state.lan
      ? 'The local network is open: devices you admitted reach this one. The gateway for programs stays on this machine.'
      : 'The local network is closed: only this machine reaches the helper.'
    return { json: { lan: state.lan, addresses: state.addresses }, text: [sentence, ...state.addresses].join('\n') }
  },
}

/** Asks until the helper is back and says what was wanted. @throws MeshError `timeout`. */
async function lanAfterRestart(wanted: boolean, context: CommandContext): Promise<LanState> {
  const deadlineAt = context.clock.monotonic() + RESTART_LIMIT_MS
  for (;;) {
    await pause(POLL_MS, undefined, { signal: context.signal })
    try {
      const state = await (await context.helper()).call('lan', {}, { signal: context.signal })
      // it answers commands before it answers questions: done is when it does both
      if (state.lan === wanted && (await readReadiness(context.config.config.dataDir)) !== undefined) return state
    } catch (error) {
      // while it restarts there is no helper for a moment
      if (!isMeshError(error, 'no-helper')) throw error
    }
    if (context.clock.monotonic() > deadlineAt)
      throw new MeshError('timeout', 'The helper did not come back in time. "plexus doctor" says how it is.')
  }
}

/** `plexus stop`; resolves when the helper is gone. */
export const stopCommand: Command = {
  name: 'stop',
  summary: 'Stop the running helper.',
  async run(_input, context) {
    const client = await context.helper()
    const { pid } = await client.call('stop', {}, { signal: context.signal })
    const deadlineAt = context.clock.monotonic() + STOP_LIMIT_MS
    while ((await findDirOwner(context.config.config.dataDir)) !== undefined) {
      if (context.clock.monotonic() > deadlineAt)
        throw new MeshError('timeout', `Process ${String(pid)} was asked to stop and still runs.`)
      await pause(POLL_MS, undefined, { signal: context.signal })
    }
    return { json: { stopped: true, pid }, text: 'The helper is stopped.' }
  },
}
