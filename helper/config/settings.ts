import { hostname } from 'node:os'
import { join } from 'node:path'
import * as z from 'zod'

/** How much the helper writes to its log. */
export const LOG_LEVELS = ['silent', 'error', 'warn', 'info', 'debug'] as const

/** The first of the ports of a helper: page and WebSocket 7539, TCP 7541, WebRTC 7542 (UDP). */
export const DEFAULT_PORT = 7539

/** Everything one may set, checked. */
export interface Config {
  readonly dataDir: string
  /** First of the ports; 0: the system picks each of them. */
  readonly port: number
  readonly threads: number
  readonly open: boolean
  readonly offline: boolean
  /** A GGUF file used where it lies. */
  readonly model: string | undefined
  readonly name: string
  readonly lan: boolean
  /** Whether visitors over plain HTTP may ask to be let in as guests while the local network is open. */
  readonly guests: boolean
  readonly logLevel: (typeof LOG_LEVELS)[number]
  readonly pageDir: string
  /** A copy of the page on an HTTPS host. */
  readonly pageUrl: string | undefined
  /** Origins of other copies of the page whose WebSockets the peer takes, with commas between. */
  readonly pageOrigins: string | undefined
  /** A certificate of one's own and its key, for HTTPS beyond this machine. */
  readonly tlsCert: string | undefined
  readonly tlsKey: string | undefined
  /** The gateway token; undefined: the one kept in the data directory. */
  readonly token: string | undefined
  /** A file with the passphrase that opens the data, where a lock was set. */
  readonly passphraseFile: string | undefined
}

/** What defaults are made from: the machine and the installation. */
export interface DefaultsSource {
  readonly userDataDir: string
  readonly installDir: string
  readonly threads: number
}

type SettingKind = 'text' | 'number' | 'switch'

/** One thing that can be set: where it may be said, how it is checked, what it is otherwise. */
export interface Setting<Key extends keyof Config = keyof Config> {
  readonly key: Key
  readonly doc: string
  /** How a text from the environment or the command line is read. */
  readonly kind: SettingKind
  /** Name in `config.toml`; undefined: cannot be set there. */
  readonly file: string | undefined
  readonly env: string | undefined
  /** As the command line spells it; undefined: cannot be set there. */
  readonly flag: string | undefined
  /** Never shown. */
  readonly secret: boolean
  readonly schema: z.ZodType<Config[Key]>
  readonly initial: (source: DefaultsSource) => Config[Key]
}

const path = z.string().min(1, 'must name a path')
const optionalPath = z.union([path, z.undefined()])

function setting<Key extends keyof Config>(
  key: Key,
  rest: Omit<Setting<Key>, 'key' | 'secret'> & { secret?: boolean },
): Setting<Key> {
  return { secret: false, ...rest, key }
}

/**
 * Every setting, one line of meaning each. A record, so that a setting missing
 * here does not compile. Adding one: a field of {@link Config} and an entry here.
 */
export const SETTINGS: { readonly [Key in keyof Config]: Setting<Key> } = {
  dataDir: setting('dataDir', {
    doc: 'Where this helper keeps its identity, chats, models and token.',
    kind: 'text',
    // config.toml lies in this directory, so it cannot say where it is
    file: undefined,
    env: 'PLEXUS_DATA_DIR',
    flag: '--data-dir <dir>',
    schema: path,
    initial: (source) => source.userDataDir,
  }),
  port: setting('port', {
    doc: 'First of the ports: page and WebSocket, then TCP (+2) and WebRTC (+3, UDP). 0 lets the system pick each.',
    kind: 'number',
    file: 'port',
    env: 'PLEXUS_PORT',
    flag: '--port <number>',
    schema: z
      .int('must be a whole number')
      .refine((port) => port === 0 || (port >= 1024 && port <= 65_532), 'must be 0, or from 1024 to 65532'),
    initial: () => DEFAULT_PORT,
  }),
  threads: setting('threads', {
    doc: 'Processor threads the engine may use. More than are free makes it far slower.',
    kind: 'number',
    file: 'threads',
    env: 'PLEXUS_THREADS',
    flag: '--threads <number>',
    schema: z.int('must be a whole number').min(1, 'must be at least 1').max(256, 'must be at most 256'),
    initial: (source) => source.threads,
  }),
  open: setting('open', {
    doc: 'Open the page in the browser when the helper is ready.',
    kind: 'switch',
    file: 'open',
    env: 'PLEXUS_OPEN',
    flag: '--no-open',
    schema: z.boolean('must be true or false'),
    initial: () => true,
  }),
  offline: setting('offline', {
    doc: 'Contact nothing outside: no model is fetched from anywhere but the devices of the mesh.',
    kind: 'switch',
    file: 'offline',
    env: 'PLEXUS_OFFLINE',
    flag: '--offline',
    schema: z.boolean('must be true or false'),
    initial: () => false,
  }),
  model: setting('model', {
    doc: 'A GGUF file to answer with, used where it lies.',
    kind: 'text',
    file: 'model',
    env: 'PLEXUS_MODEL',
    flag: '--model <file>',
    schema: optionalPath,
    initial: () => undefined,
  }),
  name: setting('name', {
    doc: 'What this device is called before anyone renames it.',
    kind: 'text',
    file: 'name',
    env: 'PLEXUS_NAME',
    flag: '--name <name>',
    schema: z.string().trim().min(1, 'must not be empty').max(60, 'must be at most 60 characters'),
    initial: () => hostname().split('.')[0]?.slice(0, 60) || 'This computer',
  }),
  lan: setting('lan', {
    doc: 'Open the page and the encrypted peer ports to the local network. The gateway for programs stays on this machine.',
    kind: 'switch',
    file: 'lan',
    env: 'PLEXUS_LAN',
    flag: '--lan',
    schema: z.boolean('must be true or false'),
    initial: () => false,
  }),
  guests: setting('guests', {
    doc: 'While the local network is open, let visitors without HTTPS ask to be let in as guests; each waits for your word.',
    kind: 'switch',
    file: 'guests',
    env: 'PLEXUS_GUESTS',
    flag: '--no-guests',
    schema: z.boolean('must be true or false'),
    initial: () => true,
  }),
  logLevel: setting('logLevel', {
    doc: `How much is logged: ${LOG_LEVELS.join(', ')}.`,
    kind: 'text',
    file: 'log-level',
    env: 'PLEXUS_LOG_LEVEL',
    flag: '--log-level <level>',
    schema: z.enum(LOG_LEVELS, `must be one of ${LOG_LEVELS.join(', ')}`),
    initial: () => 'info',
  }),
  pageDir: setting('pageDir', {
    doc: 'The built page to serve.',
    kind: 'text',
    file: 'page-dir',
    env: 'PLEXUS_PAGE_DIR',
    flag: '--page-dir <dir>',
    schema: path,
    initial: (source) => join(source.installDir, 'dist', 'page'),
  }),
  pageUrl: setting('pageUrl', {
    doc: 'Address of a copy of the page on an HTTPS host; links for other devices lead there.',
    kind: 'text',
    file: 'page-url',
    env: 'PLEXUS_PAGE_URL',
    flag: '--page-url <url>',
    schema: z.union([
      z.url({ protocol: /^https$/, error: 'must be an address that begins with https://' }).refine(
        // a fragment is where the invitation goes
        (url) => !url.includes('#'),
        'must not have a # in it',
      ),
      z.undefined(),
    ]),
    initial: () => undefined,
  }),
  pageOrigins: setting('pageOrigins', {
    doc: 'Origins of other copies of the page that may open the WebSocket of the peer, with commas between.',
    kind: 'text',
    file: 'page-origins',
    env: 'PLEXUS_PAGE_ORIGINS',
    flag: '--page-origins <list>',
    schema: z.union([
      z
        .string()
        .refine(
          (list) => originsIn(list).every((one) => URL.canParse(one) && new URL(one).origin === one),
          'must be origins like https://plexus.example or http://127.0.0.1:5173, with commas between and nothing behind the port',
        ),
      z.undefined(),
    ]),
    initial: () => undefined,
  }),
  tlsCert: setting('tlsCert', {
    doc: 'A certificate of your own (PEM, with its chain) for HTTPS beyond this machine; needs --tls-key too.',
    kind: 'text',
    file: 'tls-cert',
    env: 'PLEXUS_TLS_CERT',
    flag: '--tls-cert <file>',
    schema: optionalPath,
    initial: () => undefined,
  }),
  tlsKey: setting('tlsKey', {
    doc: 'The private key of that certificate (PEM, without a passphrase).',
    kind: 'text',
    file: 'tls-key',
    env: 'PLEXUS_TLS_KEY',
    flag: '--tls-key <file>',
    schema: optionalPath,
    initial: () => undefined,
  }),
  token: setting('token', {
    doc: 'The token programs show to the gateway. Without it, one is made at the first start and kept.',
    kind: 'text',
    // a secret on a command line is readable by every process of the machine
    file: undefined,
    env: 'PLEXUS_TOKEN',
    flag: undefined,
    secret: true,
    schema: z.union([
      z.string().regex(/^[\x21-\x7e]{1,512}$/, 'must be at most 512 visible ASCII characters without spaces'),
      z.undefined(),
    ]),
    initial: () => undefined,
  }),
  passphraseFile: setting('passphraseFile', {
    doc: 'A file with the passphrase of "plexus lock set", for starts that nobody sits at.',
    kind: 'text',
    // beside the data it opens, the passphrase would protect nothing
    file: undefined,
    env: 'PLEXUS_PASSPHRASE_FILE',
    flag: '--passphrase-file <file>',
    schema: optionalPath,
    initial: () => undefined,
  }),
}

/** The origins of a list with commas. */
export function originsIn(list: string | undefined): string[] {
  return (list ?? '')
    .split(',')
    .map((one) => one.trim())
    .filter((one) => one !== '')
}

/** The settings in the order they are shown. */
export const SETTING_LIST: readonly Setting[] = Object.values(SETTINGS)
