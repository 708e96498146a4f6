import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { serve, type ServerType } from '@hono/node-server'
import { Hono } from 'hono'
import { runProgram, type ProgramPorts } from '../../helper/commands/index.ts'
import { openDataDir } from '../../helper/data-dir/index.ts'
import { createLocalApi, type LocalHost } from '../../helper/local/index.ts'
import { systemClock } from '../../helper/ports/clock.ts'
import { systemRandom } from '../../helper/ports/random.ts'
import type { Output } from '../../helper/terminal/index.ts'
import { MeshError, silentLogger } from '../../mesh/base/index.ts'

const CREDENTIAL = 'c'.repeat(43)

/** What one command line wrote. */
export interface CommandLineResult {
  readonly code: number
  readonly out: string
  readonly err: string
  /** With `--json`: the document. */
  readonly json: unknown
}

/** A command line of a host in this process. */
export interface CommandLine {
  (...argv: string[]): Promise<CommandLineResult>
  /** The data directory, and a place for files of the test. */
  readonly dir: string
  close(): Promise<void>
}

function output(): Output & { readonly text: () => string } {
  let written = ''
  return { isTerminal: false, columns: 100, write: (text) => void (written += text), text: () => written }
}

/** A command line whose helper is this host behind the real local API. */
export async function openCommandLine(
  host: LocalHost,
  options: { readonly askSecret?: ProgramPorts['askSecret'] } = {},
): Promise<CommandLine> {
  const ends: (() => Promise<unknown>)[] = []
  const dir = await mkdtemp(join(tmpdir(), 'plexus-command-line-'))
  ends.push(() => rm(dir, { recursive: true, force: true }))
  const data = await openDataDir(dir, { nowMs: Date.now(), random: systemRandom })
  ends.push(() => data.release())
  const app = new Hono().route('/local', createLocalApi({ host, credential: CREDENTIAL, log: silentLogger }))
  const server = await new Promise<{ server: ServerType; port: number }>((resolve) => {
    const started: ServerType = serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' }, ({ port }) => {
      resolve({ server: started, port })
    })
  })
  ends.push(() => new Promise((resolve) => server.server.close(resolve)))
  const url = `http://127.0.0.1:${String(server.port)}/`
  await data.writeCredential({ url, credential: CREDENTIAL, pid: process.pid })
  const run = async (...argv: string[]): Promise<CommandLineResult> => {
    const out = output()
    const err = output()
    const code = await runProgram([...argv, '--data-dir', dir], {
      ...{ out, err, env: {}, currentDir: dir, installDir: dir, threads: 1, version: '0', clock: systemClock },
      interruptSignal: () => new AbortController().signal,
      start: () => Promise.reject(new MeshError('bug', 'Nothing is started here.')),
      askSecret: options.askSecret,
    })
    const isJson = argv.includes('--json')
    return { code, out: out.text(), err: err.text(), json: isJson ? JSON.parse(out.text()) : undefined }
  }
  return Object.assign(run, {
    dir,
    async close() {
      for (const end of ends.splice(0).reverse()) await end()
    },
  })
}
