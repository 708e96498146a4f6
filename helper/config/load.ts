import { readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import envPaths from 'env-paths'
import { parse, TomlError } from 'smol-toml'
import { MeshError, messageOf, type ErrorCode } from '../../mesh/base/index.ts'
import { SETTING_LIST, SETTINGS, type Config, type DefaultsSource, type Setting } from './settings.ts'

/** Which layer a value comes from; a later one wins. */
export type Origin = 'default' | 'file' | 'environment' | 'flag'

/** A value and where it was said. */
export interface Provenance {
  readonly origin: Origin
  /** The flag, the variable, or file and line; `default` for defaults. */
  readonly from: string
}

/** A checked configuration that can say where each value comes from. */
export interface LoadedConfig {
  readonly config: Config
  readonly provenance: Readonly<Record<keyof Config, Provenance>>
  /** The file that is read when it exists. */
  readonly file: string
}

/** What configuration is read from. */
export interface ConfigInput {
  readonly env: Readonly<Record<string, string | undefined>>
  /** Values of flags that were given, by key; texts, or booleans of switches. */
  readonly flags: Readonly<Partial<Record<keyof Config, string | boolean>>>
  /** The directory that holds `dist/`. */
  readonly installDir: string
  /** Threads of the engine where nobody says otherwise. */
  readonly threads: number
  /** Relative paths of flags and environment are meant from here. */
  readonly currentDir: string
}

/** Name of the settings file in the data directory. */
export const CONFIG_FILE = 'config.toml'

const SWITCH_WORDS: Readonly<Record<string, boolean>> = {
  '1': true,
  true: true,
  yes: true,
  on: true,
  '0': false,
  false: false,
  no: false,
  off: false,
}

/**
 * Reads defaults, then `config.toml` of the data directory, then the environment,
 * then flags; the later wins.
 * @throws MeshError `usage` for a wrong flag, `config-invalid` for a wrong file or
 * variable; the sentence names where.
 */
export async function loadConfig(
  input: ConfigInput,
  options: { signal?: AbortSignal | undefined } = {},
): Promise<LoadedConfig> {
  const source: DefaultsSource = {
    userDataDir: envPaths('plexus', { suffix: '' }).data,
    installDir: input.installDir,
    threads: input.threads,
  }
  const values = new Map<keyof Config, { value: unknown; provenance: Provenance; base: string }>()
  for (const setting of SETTING_LIST) {
    values.set(setting.key, {
      value: setting.initial(source),
      provenance: { origin: 'default', from: 'default' },
      base: input.currentDir,
    })
  }

  const outer = new Map([...environmentLayer(input), ...flagLayer(input)])
  const dataDir = resolve(
    input.currentDir,
    String(checked(SETTINGS.dataDir, outer.get('dataDir') ?? values.get('dataDir'))),
  )
  const file = join(dataDir, CONFIG_FILE)
  for (const [key, entry] of await fileLayer(file, dataDir, options)) values.set(key, entry)
  for (const [key, entry] of outer) values.set(key, entry)

  const config: Record<string, unknown> = {}
  const provenance: Record<string, Provenance> = {}
  for (const setting of SETTING_LIST) {
    const entry = values.get(setting.key)
    const value = checked(setting, entry)
    config[setting.key] =
      isPathSetting(setting) && typeof value === 'string' ? resolve(entry?.base ?? '', value) : value
    provenance[setting.key] = entry?.provenance ?? { origin: 'default', from: 'default' }
  }
  refuseHalfCertificate(config as unknown as Config, provenance as LoadedConfig['provenance'])
  return { config: config as unknown as Config, provenance: provenance as LoadedConfig['provenance'], file }
}

/** A certificate is of no use without its key, nor a key alone. */
function refuseHalfCertificate({ tlsCert, tlsKey }: Config, provenance: LoadedConfig['provenance']): void {
  if ((tlsCert === undefined) === (tlsKey === undefined)) return
  const [given, missing] = tlsCert === undefined ? (['tlsKey', 'tlsCert'] as const) : (['tlsCert', 'tlsKey'] as const)
  throw fault(
    provenance[given],
    `${nameIn(SETTINGS[given], provenance[given])} is set, and ${SETTINGS[missing].file ?? missing} is not: a certificate needs its key.`,
  )
}

interface Entry {
  readonly value: unknown
  readonly provenance: Provenance
  readonly base: string
}

const PATHS: ReadonlySet<keyof Config> = new Set(['dataDir', 'model', 'pageDir', 'tlsCert', 'tlsKey'])

function isPathSetting(setting: Setting): boolean {
  return PATHS.has(setting.key)
}

function checked(setting: Setting, entry: Entry | undefined): unknown {
  const result = setting.schema.safeParse(entry?.value)
  if (result.success) return result.data
  throw fault(
    entry?.provenance,
    `${nameIn(setting, entry?.provenance)} ${result.error.issues[0]?.message ?? 'is not valid'}.`,
  )
}

function nameIn(setting: Setting, provenance: Provenance | undefined): string {
  if (provenance?.origin === 'file') return `${provenance.from}: ${setting.file ?? setting.key}`
  return provenance?.from ?? setting.key
}

function fault(provenance: Provenance | undefined, message: string): MeshError {
  const code: ErrorCode = provenance?.origin === 'flag' ? 'usage' : 'config-invalid'
  return new MeshError(code, message)
}

function flagLayer(input: ConfigInput): [keyof Config, Entry][] {
  const layer: [keyof Config, Entry][] = []
  for (const setting of SETTING_LIST) {
    const given = input.flags[setting.key]
    if (given === undefined || setting.flag === undefined) continue
    const provenance: Provenance = { origin: 'flag', from: setting.flag.split(' ')[0] ?? setting.flag }
    const value = typeof given === 'boolean' ? given : fromText(setting, given, provenance)
    layer.push([setting.key, { value, provenance, base: input.currentDir }])
  }
  return layer
}

function environmentLayer(input: ConfigInput): [keyof Config, Entry][] {
  const layer: [keyof Config, Entry][] = []
  for (const setting of SETTING_LIST) {
    const given = setting.env === undefined ? undefined : input.env[setting.env]
    // an empty variable is how shells unset one for a single command
    if (given === undefined || given === '' || setting.env === undefined) continue
    const provenance: Provenance = { origin: 'environment', from: setting.env }
    layer.push([setting.key, { value: fromText(setting, given, provenance), provenance, base: input.currentDir }])
  }
  return layer
}

function fromText(setting: Setting, text: string, provenance: Provenance): unknown {
  if (setting.kind === 'text') return text
  if (setting.kind === 'switch') {
    const value = SWITCH_WORDS[text.trim().toLowerCase()]
    if (value === undefined)
      throw fault(provenance, `${provenance.from} must be true or false, not "${shown(setting, text)}".`)
    return value
  }
  if (!/^-?\d{1,15}$/.test(text.trim())) {
    throw fault(provenance, `${provenance.from} must be a whole number, not "${shown(setting, text)}".`)
  }
  return Number(text)
}

function shown(setting: Setting, text: string): string {
  return setting.secret ? '…' : text.slice(0, 60)
}

async function fileLayer(
  file: string,
  dataDir: string,
  options: { signal?: AbortSignal | undefined },
): Promise<[keyof Config, Entry][]> {
  const text = await readIfThere(file, options)
  if (text === undefined) return []
  const table = parsed(file, text)
  const layer: [keyof Config, Entry][] = []
  for (const [name, value] of Object.entries(table)) {
    const from = `${file} line ${String(lineOf(text, name))}`
    const setting = SETTING_LIST.find((known) => known.file === name)
    if (setting === undefined) {
      const known = SETTING_LIST.flatMap((each) => (each.file === undefined ? [] : [each.file])).join(', ')
      throw new MeshError('config-invalid', `${from}: "${name}" is not a setting of this file. It knows: ${known}.`)
    }
    layer.push([setting.key, { value, provenance: { origin: 'file', from }, base: dataDir }])
  }
  return layer
}

async function readIfThere(file: string, options: { signal?: AbortSignal | undefined }): Promise<string | undefined> {
  try {
    return await readFile(file, { encoding: 'utf8', signal: options.signal })
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    // ENOTDIR: the data directory itself is a file, which opening it will say
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined
    throw new MeshError('config-invalid', `${file} cannot be read: ${messageOf(error)}.`, { cause: error })
  }
}

function parsed(file: string, text: string): Record<string, unknown> {
  try {
    return parse(text)
  } catch (error) {
    if (error instanceof TomlError) {
      const reason = error.message.split('\n')[0]?.replace(/^Invalid TOML document: /, '') ?? ''
      throw new MeshError(
        'config-invalid',
        `${file} line ${String(error.line)}, column ${String(error.column)}: ${reason}.`,
        { cause: error },
      )
    }
    throw new MeshError('config-invalid', `${file}: ${messageOf(error)}.`, { cause: error })
  }
}

function lineOf(text: string, name: string): number {
  const lines = text.split('\n')
  const found = lines.findIndex((line) => {
    const bare = line.trimStart().replace(/^[["']+/, '')
    return bare.startsWith(name) && !/^[A-Za-z0-9_-]/.test(bare.slice(name.length))
  })
  return found === -1 ? 1 : found + 1
}
