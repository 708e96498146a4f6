import { Command as Parser, CommanderError } from 'commander'
import {
  asMeshError,
  errorToWire,
  isAbort,
  MeshError,
  messageOf,
  type Clock,
  type ErrorCode,
} from '../../mesh/base/index.ts'
import { loadConfig, SETTING_LIST, type Config, type LoadedConfig, type Setting } from '../config/index.ts'
import { findDirOwner, readCredential } from '../data-dir/index.ts'
import { createLocalClient, type LocalClient } from '../local/index.ts'
import { printable, type Output } from '../terminal/index.ts'
import type { AskSecret, ReadInput, Command, CommandContext, CommandInput } from './command.ts'
import { COMMANDS } from './registry.ts'

/** Exit codes of every command. */
export const EXIT = { done: 0, failed: 1, usedWrongly: 2 } as const

/** What the program is given by the process it runs in. */
export interface ProgramPorts {
  readonly out: Output
  readonly err: Output
  readonly env: Readonly<Record<string, string | undefined>>
  readonly currentDir: string
  /** The directory that holds `dist/`. */
  readonly installDir: string
  /** Threads of the engine where nobody says otherwise. */
  readonly threads: number
  readonly version: string
  readonly clock: Clock
  /** Asks for what must not be shown; undefined: nobody sits at a terminal. */
  readonly askSecret: AskSecret | undefined
  /** Reads what is piped in; absent: nothing is. */
  readonly readInput?: ReadInput | undefined
  /** Aborts on Ctrl-C; called only by commands that end by themselves. */
  interruptSignal(): AbortSignal
  /** Runs the helper in this process until it ends. */
  start(config: LoadedConfig, options: { readonly json: boolean }): Promise<number>
}

/**
 * Runs one command line and resolves to its exit code: 0 done, 1 failed, 2 used
 * wrongly. With `--json` exactly one JSON document goes to `out`, also on failure.
 */
export async function runProgram(argv: readonly string[], ports: ProgramPorts): Promise<number> {
  const json = wantsJson(argv)
  let exitCode: number = EXIT.done
  const parser = buildParser(ports, (code) => {
    exitCode = code
  })
  try {
    await parser.parseAsync([...argv], { from: 'user' })
    return exitCode
  } catch (error) {
    if (error instanceof CommanderError) {
      // help and version were asked for and printed
      if (error.exitCode === 0) return EXIT.done
      return report(new MeshError('usage', sentenceOf(error)), json, ports)
    }
    return report(error, json, ports)
  }
}

/** Tells a failure and returns its exit code. */
export function report(error: unknown, json: boolean, ports: Pick<ProgramPorts, 'out' | 'err'>): number {
  const known = asMeshError(error)
  if (json) ports.out.write(`${JSON.stringify({ error: errorToWire(known) })}\n`)
  const message = isAbort(known) ? 'Stopped.' : known.message
  ports.err.write(`plexus: ${printable(message)}\n`)
  if (known.code === 'bug') ports.err.write(`${known.stack ?? ''}\n`)
  return exitCodeOf(known.code)
}

function exitCodeOf(code: ErrorCode): number {
  return code === 'usage' ? EXIT.usedWrongly : EXIT.failed
}

function buildParser(ports: ProgramPorts, setExitCode: (code: number) => void): Parser {
  const parser = new Parser('plexus')
  parser
    .description('Your devices, one mind.')
    .version(ports.version)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => {
        ports.out.write(text)
      },
      writeErr: () => {},
    })
    .showSuggestionAfterError(true)
    .enablePositionalOptions()
  addSettings(parser, [dataDirSetting()])
  addJson(parser)
  addStart(parser, ports, setExitCode)
  for (const command of COMMANDS) addCommand(parser, command, ports, setExitCode)
  return parser
}

function addStart(parser: Parser, ports: ProgramPorts, setExitCode: (code: number) => void): void {
  const start = parser
    .command('start', { isDefault: true })
    .description('Run the helper until it is stopped. What happens when no command is named.')
    .allowExcessArguments(true)
  addSettings(start, SETTING_LIST)
  addJson(start)
  start.action(async () => {
    const stray = start.args[0]
    if (stray !== undefined)
      throw new MeshError('usage', `There is no command "${stray.slice(0, 60)}". "plexus --help" shows them.`)
    const config = await configOf(start, parser, ports)
    setExitCode(await ports.start(config, { json: isJson(start, parser) }))
  })
}

function addCommand(parser: Parser, command: Command, ports: ProgramPorts, setExitCode: (code: number) => void): void {
  const sub = parser.command(command.name).description(command.summary)
  for (const argument of command.arguments ?? []) sub.argument(argument.usage, argument.doc)
  for (const option of command.options ?? []) {
    if (option.isRepeatable === true) sub.option(option.usage, option.doc, gathered, [])
    else sub.option(option.usage, option.doc)
  }
  addSettings(sub, command.settings === 'all' ? SETTING_LIST : [dataDirSetting()])
  addJson(sub)
  sub.action(async () => {
    const json = isJson(sub, parser)
    const config = await configOf(sub, parser, ports)
    const context: CommandContext = {
      config,
      helper: () => helperOf(config.config),
      out: ports.out,
      err: ports.err,
      clock: ports.clock,
      askSecret: ports.askSecret,
      readInput: ports.readInput,
      signal: ports.interruptSignal(),
      json,
    }
    const options = sub.opts<CommandInput['options']>()
    const result = await command.run({ arguments: sub.args, options }, context)
    if (json) ports.out.write(`${JSON.stringify(result.json)}\n`)
    else if (result.text !== undefined) ports.out.write(`${result.text}\n`)
    if (result.isBad === true) setExitCode(EXIT.failed)
  })
}

function gathered(value: string, before: readonly string[]): readonly string[] {
  return [...before, value]
}

function addSettings(parser: Parser, settings: readonly Setting[]): void {
  for (const setting of settings) {
    if (setting.flag === undefined) continue
    parser.option(setting.flag, setting.doc)
  }
}

function addJson(parser: Parser): void {
  parser.option('--json', 'print one JSON document')
}

function isJson(sub: Parser, parser: Parser): boolean {
  return sub.opts()['json'] === true || parser.opts()['json'] === true
}

function dataDirSetting(): Setting {
  const found = SETTING_LIST.find((setting) => setting.key === 'dataDir')
  if (found === undefined) throw new MeshError('bug', 'There is no setting for the data directory.')
  return found
}

async function configOf(sub: Parser, parser: Parser, ports: ProgramPorts): Promise<LoadedConfig> {
  const flags: Partial<Record<keyof Config, string | boolean>> = {}
  for (const command of [parser, sub]) {
    for (const option of command.options) {
      const setting = SETTING_LIST.find((known) => known.flag === option.flags)
      const name = option.attributeName()
      // commander fills in true for --no-x by itself: only what was typed counts
      if (setting === undefined || command.getOptionValueSource(name) !== 'cli') continue
      flags[setting.key] = command.getOptionValue(name) as string | boolean
    }
  }
  return loadConfig({
    env: ports.env,
    flags,
    installDir: ports.installDir,
    threads: ports.threads,
    currentDir: ports.currentDir,
  })
}

async function helperOf(config: Config): Promise<LocalClient> {
  const owner = await findDirOwner(config.dataDir)
  if (owner === undefined) {
    throw new MeshError(
      'no-helper',
      `No helper runs for ${config.dataDir}. Start one with "npm start", or name its directory with --data-dir.`,
    )
  }
  const credential = await readCredential(config.dataDir)
  if (credential === undefined) {
    throw new MeshError(
      'no-helper',
      `The helper of ${config.dataDir} (process ${String(owner)}) is still starting. Try again in a moment.`,
    )
  }
  return createLocalClient(credential)
}

function wantsJson(argv: readonly string[]): boolean {
  const end = argv.indexOf('--')
  return (end === -1 ? argv : argv.slice(0, end)).includes('--json')
}

function sentenceOf(error: CommanderError): string {
  const text = messageOf(error).replace(/^error: /, '')
  const sentence = text.charAt(0).toUpperCase() + text.slice(1)
  return /[.!?)]$/.test(sentence) ? sentence : `${sentence}.`
}
