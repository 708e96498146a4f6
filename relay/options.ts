import { parseArgs } from 'node:util'
import { MeshError, messageOf } from '../mesh/base/index.ts'
import { OPEN_QUOTAS, type RelayQuotas } from './relay.ts'

/** What the relay is started with. */
export interface RelayOptions {
  readonly host: string
  /** WebSocket; TCP is one above and WebRTC-direct two above. 0: all ephemeral. */
  readonly port: number
  readonly dataDir: string | undefined
  /** Origins whose pages may use it, beside those of helpers on the machine of the browser. */
  readonly pageOrigins: readonly string[]
  readonly quotas: RelayQuotas
  readonly json: boolean
  readonly help: boolean
}

/** The relay's default port: its WebSocket. */
export const RELAY_PORT = 4737

/** What `--help` prints. */
export const RELAY_HELP = `Usage: npm run relay -- [options]

A blind relay: devices that cannot see each other set up a direct link through it.
It serves anyone within quotas and keeps nothing but its own key.

  --host ADDRESS              where to listen (default 127.0.0.1; 0.0.0.0 opens it to the network)
  --port N                    WebSocket port; TCP is N+1, WebRTC-direct N+2 (default ${String(RELAY_PORT)}, 0: free ones)
  --data-dir DIR              where its key is kept
  --reservations N            devices reachable through it at once (default ${String(OPEN_QUOTAS.reservations)})
  --connection-seconds N      longest relayed connection (default ${String(OPEN_QUOTAS.connectionMs / 1000)})
  --connection-bytes N        most bytes of one, each way (default ${String(OPEN_QUOTAS.connectionBytes)})
  --page-origin ORIGIN        also serve pages at this origin (https://plexus.example); may be repeated
  --json                      print {peerId, addresses} as JSON
`

/** Reads the command line. @throws MeshError `usage` */
export function readRelayOptions(args: readonly string[]): RelayOptions {
  let values
  try {
    values = parseArgs({
      args: [...args],
      options: {
        host: { type: 'string', default: '127.0.0.1' },
        port: { type: 'string', default: String(RELAY_PORT) },
        'data-dir': { type: 'string' },
        'page-origin': { type: 'string', multiple: true, default: [] },
        reservations: { type: 'string', default: String(OPEN_QUOTAS.reservations) },
        'connection-seconds': { type: 'string', default: String(OPEN_QUOTAS.connectionMs / 1000) },
        'connection-bytes': { type: 'string', default: String(OPEN_QUOTAS.connectionBytes) },
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    }).values
  } catch (error) {
    throw new MeshError('usage', messageOf(error), { cause: error })
  }
  return {
    host: values.host,
    port: wholeNumber('--port', values.port, 0, 65_533),
    dataDir: values['data-dir'],
    pageOrigins: values['page-origin'],
    quotas: {
      ...OPEN_QUOTAS,
      reservations: wholeNumber('--reservations', values.reservations, 1, 100_000),
      connectionMs: wholeNumber('--connection-seconds', values['connection-seconds'], 1, 86_400) * 1000,
      connectionBytes: wholeNumber('--connection-bytes', values['connection-bytes'], 1024, 2 ** 40),
    },
    json: values.json,
    help: values.help,
  }
}

function wholeNumber(flag: string, text: string, min: number, max: number): number {
  const value = Number(text)
  if (!Number.isInteger(value) || value < min || value > max) {
    throw new MeshError('usage', `${flag} takes a whole number from ${String(min)} to ${String(max)}, not "${text}".`)
  }
  return value
}
