import { MeshError } from '../../mesh/base/index.ts'
import type { LocalClient } from '../local/index.ts'
import { printable } from '../terminal/index.ts'
import type { Command, CommandContext, CommandResult } from './command.ts'

/** `plexus ledger [verify]` */
export const ledgerCommand: Command = {
  name: 'ledger',
  summary: 'Show the signed ledger of the mesh in sentences, or check every signature in it.',
  arguments: [{ usage: '[verify]', doc: 'check all of it again; ends with 1 when something is wrong' }],
  async run(input, context) {
    const action = input.arguments[0]
    if (action !== undefined && action !== 'verify')
      throw new MeshError('usage', `"plexus ledger" takes verify, not "${action.slice(0, 60)}".`)
    const client = await context.helper()
    return action === undefined ? show(client, context) : verify(client, context)
  },
}

async function show(client: LocalClient, context: CommandContext): Promise<CommandResult> {
  const entries = await client.call('ledger', {}, { signal: context.signal })
  const lines = entries.flatMap((entry) => [
    `${new Date(entry.at).toLocaleString()}  ${entry.hash.slice(0, 8)}  ${printable(entry.sentence)}`,
    ...(entry.setAside === undefined ? [] : [`  set aside: ${entry.setAside}`]),
  ])
  return { json: entries, text: lines.join('\n') }
}

async function verify(client: LocalClient, context: CommandContext): Promise<CommandResult> {
  const check = await client.call('ledger-verify', {}, { signal: context.signal })
  const isBad = check.faults.length > 0
  const counted = `${String(check.signatures)} signatures in ${String(check.entries)} entries`
  const text = isBad
    ? [`The ledger did not pass its check (${counted}):`, ...check.faults.map((fault) => `✗ ${printable(fault)}`)]
    : [`All is well: ${counted} are good.`]
  return { json: check, text: text.join('\n'), isBad }
}
