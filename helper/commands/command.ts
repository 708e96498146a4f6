import type { Clock } from '../../mesh/base/index.ts'
import type { LoadedConfig } from '../config/index.ts'
import type { LocalClient } from '../local/index.ts'
import type { Output } from '../terminal/index.ts'

/** An argument by position. */
export interface ArgumentSpec {
  /** As the help shows it: `<device>`, `[action]`, `<text...>`. */
  readonly usage: string
  readonly doc: string
}

/** A switch or value of one command. */
export interface OptionSpec {
  /** As the help shows it: `--device <device>`. */
  readonly usage: string
  readonly doc: string
  /** May be given several times; the command is given a list. */
  readonly isRepeatable?: true | undefined
}

/** Asks the person at the terminal; undefined when they leave. */
export type AskSecret = (question: string, options: { readonly signal: AbortSignal }) => Promise<string | undefined>

/** Reads all that is piped in. @throws MeshError `usage` when it is longer */
export type ReadInput = (maxLength: number, options: { readonly signal: AbortSignal }) => Promise<string>

/** What a command is given to work with. */
export interface CommandContext {
  readonly config: LoadedConfig
  /** The way to the running helper. @throws MeshError `no-helper` when none runs. */
  helper(): Promise<LocalClient>
  readonly out: Output
  readonly err: Output
  readonly clock: Clock
  /** Asks for what must not be shown; undefined: nobody sits at a terminal. */
  readonly askSecret: AskSecret | undefined
  /** Reads the input where it is no terminal; undefined: there is none. */
  readonly readInput: ReadInput | undefined
  /** Aborts on Ctrl-C. */
  readonly signal: AbortSignal
  /** With `--json` nothing but the one document may go to `out`. */
  readonly json: boolean
}

/** What was typed, checked for number but not for meaning. */
export interface CommandInput {
  readonly arguments: readonly string[]
  readonly options: Readonly<Record<string, string | boolean | readonly string[] | undefined>>
}

/** How a command ended well: its JSON, and the same for a person. */
export interface CommandResult {
  readonly json: unknown
  /** Printed to `out` without `--json`; ends with no line break. Absent: everything was printed on the way. */
  readonly text?: string | undefined
  /** What was looked at is not well, as with `ledger verify`: exit code 1, though the document is the answer. */
  readonly isBad?: boolean | undefined
}

/** One command of `plexus`. */
export interface Command {
  readonly name: string
  readonly summary: string
  readonly arguments?: readonly ArgumentSpec[]
  readonly options?: readonly OptionSpec[]
  /** `all`: takes the flag of every setting, as `start` does; else only `--data-dir`. */
  readonly settings?: 'all'
  /** @throws MeshError; `usage` ends with exit code 2, everything else with 1. */
  run(input: CommandInput, context: CommandContext): Promise<CommandResult>
}
