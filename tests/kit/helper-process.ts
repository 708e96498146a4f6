import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { MeshError } from '../../mesh/base/index.ts'
import { ensureBuilt } from '../../scripts/lib/build.mjs'
import { until } from './wait.ts'

/** The repository. */
export const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))))
const MAIN = join(ROOT, 'dist', 'helper', 'main.js')
const CLI = join(ROOT, 'dist', 'helper', 'cli.js')

/** A start may fetch a model; everything else takes seconds. */
const READY_LIMIT_MS = 120_000
const END_LIMIT_MS = 15_000

/** How to start a helper. */
export interface HelperProcessOptions {
  /** A GGUF file given as `--model`. */
  readonly model?: string
  /** Default: a fresh one, removed by `stop` and `kill`. */
  readonly dataDir?: string
  /** More arguments. */
  readonly args?: readonly string[]
  readonly env?: Readonly<Record<string, string | undefined>>
  /** Default true: tests fetch nothing unless they say so. */
  readonly offline?: boolean
  /** Default 0: every port is the system's choice. */
  readonly port?: number
  /** Default true. */
  readonly waitForReady?: boolean
  /** Runs it and its commands through this program, `ip netns exec NAME` say. */
  readonly through?: readonly string[]
}

/** What a process said and how it ended. */
export interface ProcessResult {
  /** Null when a signal ended it. */
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** A command that ended; `json` is its whole standard output, parsed, where it is JSON. */
export interface CliResult extends ProcessResult {
  readonly json: unknown
}

/** `ports.json` as the contract has it. */
export interface PortsFile {
  readonly pid: number
  readonly http: number
  readonly ws: number
  readonly tcp: number
  readonly webrtcDirect: string
  readonly peerId: string
  readonly startedAt: number
}

/** A helper that runs in a process of its own. */
export interface HelperProcess {
  readonly pid: number
  readonly dataDir: string
  /** `http://127.0.0.1:PORT` */
  readonly url: string
  /** The gateway token. */
  readonly token: string
  readonly ports: PortsFile
  /** What it wrote so far. */
  output(): { readonly stdout: string; readonly stderr: string }
  /** Runs a command against this helper, with `--json` when asked for. */
  cli(
    args: readonly string[],
    options?: { env?: Readonly<Record<string, string | undefined>>; input?: string },
  ): Promise<CliResult>
  /** Ends it with SIGTERM and waits; removes a data directory of its own. */
  stop(): Promise<ProcessResult>
  /** Ends it with SIGKILL and waits; its data directory stays. */
  kill(): Promise<ProcessResult>
  /** Resolves when it ends by itself. */
  readonly ended: Promise<ProcessResult>
}

/** A process of a test: what it writes, and its end. */
export interface TestProcess {
  readonly child: ChildProcess
  readonly ended: Promise<ProcessResult>
  output(): { readonly stdout: string; readonly stderr: string }
}

/** Environment of a child: ours, without settings of Plexus that the person running the tests may have. */
export function cleanEnv(extra: Readonly<Record<string, string | undefined>> = {}): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(
    ([name]) => !name.startsWith('PLEXUS_') && !name.startsWith('VITEST') && name !== 'NODE_OPTIONS',
  )
  return { ...Object.fromEntries(kept), ...extra }
}

/** Starts a program and gathers what it writes. */
export function startProcess(
  command: string,
  args: readonly string[],
  options: { env?: NodeJS.ProcessEnv; cwd?: string; input?: string | undefined } = {},
): TestProcess {
  const child = spawn(command, [...args], {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: options.env ?? cleanEnv(),
    cwd: options.cwd ?? ROOT,
  })
  let stdout = ''
  let stderr = ''
  // a program that ended before it read everything is no failure of the test
  child.stdin.on('error', () => undefined).end(options.input ?? '')
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
  const ended = once(child, 'close').then(([code]) => ({ code: code as number | null, stdout, stderr }))
  return { child, ended, output: () => ({ stdout, stderr }) }
}

/** Runs a program to its end. */
export function runProcess(
  command: string,
  args: readonly string[],
  options: { env?: NodeJS.ProcessEnv; cwd?: string; input?: string | undefined } = {},
): Promise<ProcessResult> {
  return startProcess(command, args, options).ended
}

/** Runs `plexus` with these arguments; needs no helper. */
export async function runCli(
  args: readonly string[],
  options: {
    env?: Readonly<Record<string, string | undefined>>
    cwd?: string
    through?: readonly string[] | undefined
    /** What is piped in. */
    input?: string | undefined
  } = {},
): Promise<CliResult> {
  await built()
  const { env, through = [], ...rest } = options
  const [command, ...first] = [...through, process.execPath, CLI]
  const result = await runProcess(command, [...first, ...args], { ...rest, env: cleanEnv(env) })
  return { ...result, json: parsedOrUndefined(result.stdout) }
}

/** A fresh directory for one test, and how to remove it. */
export async function makeTempDir(
  prefix = 'plexus-test-',
): Promise<{ readonly path: string; remove(): Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), prefix))
  return { path, remove: () => rm(path, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 }) }
}

/** Starts the built helper without waiting for anything. */
export async function spawnHelper(dataDir: string, options: HelperProcessOptions = {}): Promise<TestProcess> {
  await built()
  const args = [
    MAIN,
    ...['--data-dir', dataDir, '--port', String(options.port ?? 0), '--no-open', '--threads', '1'],
    ...(options.offline === false ? [] : ['--offline']),
    ...(options.model === undefined ? [] : ['--model', options.model]),
    ...(options.args ?? []),
  ]
  const [command, ...first] = [...(options.through ?? []), process.execPath]
  return startProcess(command, [...first, ...args], { env: cleanEnv(options.env) })
}

/**
 * Starts the built helper and waits until it says that it is ready.
 * @throws MeshError `bug` with what it wrote when it ends before.
 */
export async function startHelper(options: HelperProcessOptions = {}): Promise<HelperProcess> {
  const own = options.dataDir === undefined ? await makeTempDir() : undefined
  const dataDir = options.dataDir ?? own?.path ?? ''
  const running = await spawnHelper(dataDir, options)
  const { pid } = running.child
  if (pid === undefined) throw new MeshError('bug', 'The helper process could not be started.')
  const ports = await readyPorts(running, dataDir, pid)
  const cli: HelperProcess['cli'] = (args, cliOptions) =>
    runCli([...args, '--data-dir', dataDir], { ...cliOptions, through: options.through })
  const token = await cli(['token'])
  const end = async (signal: NodeJS.Signals): Promise<ProcessResult> => {
    if (running.child.exitCode === null && running.child.signalCode === null) running.child.kill(signal)
    const late = new Promise<'late'>((resolve) =>
      setTimeout(() => {
        resolve('late')
      }, END_LIMIT_MS).unref(),
    )
    const result = await Promise.race([running.ended, late])
    if (result !== 'late') return result
    running.child.kill('SIGKILL')
    throw new MeshError(
      'timeout',
      `The helper did not end within ${String(END_LIMIT_MS)} ms of ${signal}.\n${running.output().stderr}`,
    )
  }
  return {
    pid,
    dataDir,
    url: `http://127.0.0.1:${String(ports.http)}`,
    token: token.stdout.trim(),
    ports,
    output: running.output,
    cli,
    async stop() {
      const result = await end('SIGTERM')
      await own?.remove()
      return result
    },
    kill: () => end('SIGKILL'),
    ended: running.ended,
  }
}

async function readyPorts(running: TestProcess, dataDir: string, pid: number): Promise<PortsFile> {
  let end: ProcessResult | undefined
  void running.ended.then((result) => (end = result))
  const found = await until(
    async () => {
      if (end !== undefined) return 'ended' as const
      const ports = parsedOrUndefined(await readFile(join(dataDir, 'ports.json'), 'utf8')) as PortsFile | undefined
      return ports?.pid === pid ? ports : undefined
    },
    { timeoutMs: READY_LIMIT_MS, what: 'ports.json of the helper' },
  ).catch((error: unknown) => {
    running.child.kill('SIGKILL')
    throw new MeshError('timeout', `The helper was not ready.\n${running.output().stderr}`, { cause: error })
  })
  if (found !== 'ended') return found
  throw new MeshError(
    'bug',
    `The helper ended with ${String(end?.code)} before it was ready.\n${running.output().stderr}`,
  )
}

let building: Promise<void> | undefined

/** Builds the helper once per test process, when its sources changed. */
function built(): Promise<void> {
  building ??= ensureBuilt(['helper']).then((ok) => {
    if (!ok) throw new MeshError('bug', 'The helper could not be built.')
  })
  return building
}

function parsedOrUndefined(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch {
    return undefined
  }
}
