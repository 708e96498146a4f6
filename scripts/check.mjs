// npm run check: format, types, lint, layers, dead code. One line per step; what a
// step found is printed when it fails. Exit 1 if any failed. `--only NAME` runs one.
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { dirname, join } from 'node:path'
import { root } from './lib/paths.mjs'

const MS_PER_SECOND = 1_000

/** A program of a package, run with this very Node: no shell, no `.cmd` files, no PATH. */
async function packageProgram(name, program = name) {
  const packageFile = join(root, 'node_modules', name, 'package.json')
  const { bin } = JSON.parse(await readFile(packageFile, 'utf8'))
  return join(dirname(packageFile), typeof bin === 'string' ? bin : bin[program])
}

const has = (...parts) => existsSync(join(root, ...parts))

const SOURCES = ['mesh', 'helper', 'relay', 'app', 'scripts'].filter((folder) => has(folder))

/** The longest first: two go on at a time. */
const STEPS = [
  { name: 'lint', package: 'eslint', args: ['.', '--max-warnings', '0'] },
  { name: 'format', package: 'prettier', args: ['--check', '--log-level', 'warn', '.'] },
  {
    name: 'types',
    package: 'typescript',
    program: 'tsc',
    args: ['-p', 'tsconfig.json', '--noEmit', '--pretty', 'false'],
  },
  {
    name: 'types of mesh',
    package: 'typescript',
    program: 'tsc',
    args: ['-p', join('mesh', 'tsconfig.json'), '--noEmit', '--pretty', 'false'],
  },
  {
    // reads app/**/*.ts too, with the types of the components that they import
    name: 'types of app',
    package: 'svelte-check',
    args: ['--workspace', 'app', '--tsconfig', './tsconfig.json', '--output', 'human', '--fail-on-warnings'],
    when: () => has('app', 'tsconfig.json'),
  },
  ...[
    ['types of the service worker', join('app', 'sw.tsconfig.json')],
    ['types of the tests', join('tests', 'tsconfig.json')],
  ].map(([name, config]) => ({
    name,
    package: 'typescript',
    program: 'tsc',
    args: ['-p', config, '--noEmit', '--pretty', 'false'],
  })),
  {
    name: 'layers',
    package: 'dependency-cruiser',
    program: 'depcruise',
    args: [...SOURCES, '--config', '.dependency-cruiser.cjs'],
  },
  { name: 'dead code', package: 'knip', args: ['--no-progress'] },
]

function runStep(script, args) {
  return new Promise((resolve) => {
    const output = []
    const env = {
      ...process.env,
      NODE_OPTIONS: `${process.env.NODE_OPTIONS ?? ''} --max-old-space-size=4096`.trim(),
      NO_COLOR: '1',
    }
    const child = spawn(process.execPath, [script, ...args], { cwd: root, env, stdio: ['ignore', 'pipe', 'pipe'] })
    child.stdout.on('data', (chunk) => output.push(chunk))
    child.stderr.on('data', (chunk) => output.push(chunk))
    child.on('error', (error) => resolve({ code: 1, text: error.message }))
    child.on('close', (code) => resolve({ code: code ?? 1, text: Buffer.concat(output).toString() }))
  })
}

async function main() {
  const onlyAt = process.argv.indexOf('--only')
  const only = onlyAt === -1 ? undefined : process.argv[onlyAt + 1]
  const steps = STEPS.filter((step) => (only === undefined || step.name === only) && (step.when?.() ?? true))
  if (steps.length === 0) {
    process.stderr.write(`There is no step "${only}". There are: ${STEPS.map(({ name }) => name).join(', ')}.\n`)
    return 2
  }
  let failed = 0
  const waiting = [...steps]
  const lane = async () => {
    for (let step = waiting.shift(); step !== undefined; step = waiting.shift()) {
      const startedAt = performance.now()
      const { code, text } = await runStep(await packageProgram(step.package, step.program), step.args)
      const seconds = ((performance.now() - startedAt) / MS_PER_SECOND).toFixed(1)
      if (code !== 0) {
        failed++
        process.stdout.write(`${text.trimEnd()}\n`)
      }
      process.stdout.write(`${code === 0 ? 'ok    ' : 'FAILED'} ${step.name.padEnd(16)} ${seconds.padStart(6)} s\n`)
    }
  }
  await Promise.all(Array.from({ length: Math.min(2, availableParallelism()) }, lane))
  return failed === 0 ? 0 : 1
}

process.exitCode = await main()
