import { MeshError } from '../../mesh/base/index.ts'
import type { TrustReport } from '../local/index.ts'
import type { Command } from './command.ts'

/** `plexus trust` */
export const trustCommand: Command = {
  name: 'trust',
  summary: 'Show what HTTPS on the local network is spoken with; make the authority of this helper, or delete it.',
  arguments: [
    { usage: '[make|delete]', doc: 'delete destroys the key of the authority: devices trust a new one anew' },
  ],
  async run(input, context) {
    const wanted = input.arguments[0]
    if (wanted !== undefined && wanted !== 'make' && wanted !== 'delete')
      throw new MeshError('usage', `"plexus trust" takes make or delete, not "${wanted}".`)
    const client = await context.helper()
    const report = await client.call('trust', wanted === undefined ? {} : { authority: wanted === 'make' }, {
      signal: context.signal,
    })
    return { json: report, text: describeTrust(report) }
  },
}

/** What a person compares on a device before trusting, in lines. */
export function describeTrust(report: TrustReport): string {
  if (report.kind === 'own-certificate')
    return `HTTPS is spoken with your own certificate, for ${report.names.join(', ')}.`
  if (report.fingerprint === null) {
    return 'There is no authority, so no HTTPS on the local network. "plexus trust make" makes one, "plexus lan on" too.'
  }
  return [
    'The authority of this helper. A device that trusts it opens the page over HTTPS. Compare before you trust:',
    '',
    fingerprintLines(report.fingerprint),
    '',
    ...(report.page === null ? [] : [`How a device trusts it: ${report.page}`]),
    `Certificate: ${report.file ?? ''}`,
  ].join('\n')
}

/** 32 pairs in four lines. */
function fingerprintLines(fingerprint: string): string {
  const pairs = fingerprint.split(':')
  return [0, 8, 16, 24].map((from) => `  ${pairs.slice(from, from + 8).join(' ')}`).join('\n')
}
