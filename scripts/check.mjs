// npm run check: format, types, lint, layers, dead code. One line per step; what a
// step found is printed when it fails. Exit 1 if any failed. `--only NAME` runs one.
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { readFile, rm } from 'node:fs/promises'
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

/** By the native compiler; what takes the compiler's API (ESLint, svelte-check, dependency-cruiser) uses `typescript`. */
const typesOf = (name, config) => ({
  name,
  package: '@typescript/native',
  program: 'tsc',
  args: ['-p', config, '--noEmit', '--pretty', 'false'],
})

/** The longest first: two go on at a time. */
const STEPS = [
  { name: 'lint of components', package: 'eslint', args: ['.', '--max-warnings', '0'] },
  { name: 'format', package: 'prettier', args: ['--check', '--log-level', 'warn', '.'] },
  {
    // reads app/**/*.ts too, with the types of the components that they import
    name: 'types of app',
    package: 'svelte-check',
    args: ['--workspace', 'app', '--tsconfig', './tsconfig.json', '--output', 'human', '--fail-on-warnings', '--tsgo'],
    when: () => has('app', 'tsconfig.json'),
    // what it makes of components for the native compiler; the build would take it for sources
    leaves: join('app', '.svelte-check'),
  },
  { name: 'lint', package: 'oxlint', args: ['--deny-warnings'] },
  typesOf('types', 'tsconfig.json'),
  typesOf('types of mesh', join('mesh', 'tsconfig.json')),
  typesOf('types of the service worker', join('app', 'sw.tsconfig.json')),
  typesOf('types of the tests', join('tests', 'tsconfig.json')),
  {
    name: 'layers',
    package: 'dependency-cruiser',
    program: 'depcruise',
    args: [...SOURCES, '--config', '.dependency-cruiser.cjs'],
    // an empty graph breaks no rule either: a compiler it cannot use leaves all of TypeScript out
    proof: /\d{3,} modules/,
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
      if (step.leaves !== undefined) await rm(join(root, step.leaves), { recursive: true, force: true })
      const isGood = code === 0 && (step.proof?.test(text) ?? true)
      const seconds = ((performance.now() - startedAt) / MS_PER_SECOND).toFixed(1)
      if (!isGood) {
        failed++
        process.stdout.write(`${text.trimEnd()}\n`)
      }
      process.stdout.write(`${isGood ? 'ok    ' : 'FAILED'} ${step.name.padEnd(16)} ${seconds.padStart(6)} s\n`)
    }
  }
  await Promise.all(Array.from({ length: Math.min(2, availableParallelism()) }, lane))
  return failed === 0 ? 0 : 1
}

process.exitCode = await main()
