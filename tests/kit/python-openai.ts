import { access, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ROOT, runProcess, type ProcessResult } from './helper-process.ts'

/** The Python client as it was when these tests were written; 2.x is the oldest line still kept. */
const OPENAI_REQUIREMENT = 'openai>=2,<4'
const OLDEST_PYTHON = [3, 9] as const

/** A Python with the OpenAI client, or a sentence on why there is none. */
export type PythonOpenAi =
  | { readonly ok: true; run(script: string, args: readonly string[]): Promise<ProcessResult> }
  | { readonly ok: false; readonly reason: string }

/** Finds Python and installs the client for it once, into a folder of its own beside the node modules. */
export async function findPythonOpenAi(): Promise<PythonOpenAi> {
  const python = await findPython()
  if (python === undefined) return { ok: false, reason: `no Python ${OLDEST_PYTHON.join('.')} or newer was found` }
  const target = join(ROOT, 'node_modules', '.cache', `python-openai-${python.version}`)
  const mark = join(target, '.installed')
  if (!(await exists(mark))) {
    await mkdir(target, { recursive: true })
    const install = await runPython(python.command, [
      '-m',
      'pip',
      'install',
      '--quiet',
      '--disable-pip-version-check',
      '--upgrade',
      '--target',
      target,
      OPENAI_REQUIREMENT,
    ])
    if (install.code !== 0) {
      return { ok: false, reason: `the openai package could not be installed: ${lastLine(install.stderr)}` }
    }
    await writeFile(mark, OPENAI_REQUIREMENT)
  }
  return {
    ok: true,
    run: (script, args) => runPython(python.command, [script, ...args], { PYTHONPATH: target }),
  }
}

interface Python {
  readonly command: string
  readonly version: string
}

async function findPython(): Promise<Python | undefined> {
  for (const command of ['python3', 'python', 'py']) {
    const result = await runPython(command, ['-c', 'import sys; print("%d.%d" % sys.version_info[:2])'])
    const [major = 0, minor = 0] = result.stdout.trim().split('.').map(Number)
    const isNew = major > OLDEST_PYTHON[0] || (major === OLDEST_PYTHON[0] && minor >= OLDEST_PYTHON[1])
    if (result.code === 0 && isNew) return { command, version: `${String(major)}.${String(minor)}` }
  }
  return undefined
}

async function runPython(
  command: string,
  args: readonly string[],
  env: Record<string, string> = {},
): Promise<ProcessResult> {
  try {
    return await runProcess(command, args, { env: { ...process.env, PYTHONDONTWRITEBYTECODE: '1', ...env } })
  } catch (error) {
    return { code: null, stdout: '', stderr: String(error) }
  }
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}

function lastLine(text: string): string {
  return text.trim().split('\n').at(-1) ?? ''
}
