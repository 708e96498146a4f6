import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import * as z from 'zod'
import { runProgram } from './commands/index.ts'
import { defaultThreads } from './engines/index.ts'
import { MeshError } from '../mesh/base/index.ts'
import { systemClock } from './ports/clock.ts'
import { askSecret, readInput, streamOutput, terminalOf } from './terminal/index.ts'

/**
 * Runs one command line in this process and ends it with the right exit code. The
 * composition root of everything but the helper itself, which is loaded when asked for.
 */
export async function runCommandLine(argv: readonly string[]): Promise<void> {
  // every bundle lies in dist/helper
  const installDir = dirname(dirname(dirname(fileURLToPath(import.meta.url))))
  const out = streamOutput(process.stdout)
  const err = streamOutput(process.stderr)
  const terminal = terminalOf(process.stdin, process.stderr)
  const ask =
    terminal === undefined
      ? undefined
      : (question: string, options: { signal: AbortSignal }) => askSecret(terminal, question, options)
  const code = await runProgram(argv, {
    out,
    err,
    env: process.env,
    currentDir: process.cwd(),
    installDir,
    threads: defaultThreads(),
    version: versionOf(installDir),
    clock: systemClock,
    askSecret: ask,
    readInput: (maxLength, options) => readInput(process.stdin, maxLength, options),
    interruptSignal,
    async start(config, options) {
      const { runHelper } = await import('./run-helper.ts')
      return runHelper(config, { ...options, argv, out, err, installDir, askSecret: ask })
    },
  })
  await flushed(process.stdout)
  await flushed(process.stderr)
  // libraries may keep timers and sockets of their own: what had to end has ended
  process.exit(code)
}

function interruptSignal(): AbortSignal {
  const controller = new AbortController()
  for (const name of ['SIGINT', 'SIGTERM'] as const) {
    process.once(name, () => {
      controller.abort(new MeshError('aborted', 'Stopped.'))
    })
  }
  return controller.signal
}

function versionOf(installDir: string): string {
  const text = readFileSync(join(installDir, 'package.json'), 'utf8')
  return z.object({ version: z.string() }).parse(JSON.parse(text)).version
}

function flushed(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise((resolve) => {
    if (stream.destroyed || stream.writableLength === 0) {
      resolve()
      return
    }
    stream.write('', () => {
      resolve()
    })
  })
}
