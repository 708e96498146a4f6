// npm run bench -- --json FILE: measures, and writes every figure with unit, reference and ratio.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { requireNode } from './lib/node-version.mjs'
import { ensureBuilt } from './lib/build.mjs'
import { ensureInstalled } from './lib/install.mjs'
import { modulesDir, root } from './lib/paths.mjs'
import { run, runNode } from './lib/run.mjs'

requireNode()
if (!(await ensureInstalled())) process.exit(1)
if (!(await ensureBuilt(['helper', 'page'])))
  process.stderr.write('Something could not be built: its figures will be missing.\n')
const vite = join(modulesDir, 'vite', 'bin', 'vite.js')
const code = await run(
  process.execPath,
  [vite, 'build', '--config', 'vite.helper.config.ts', '--mode', 'bench', '--logLevel', 'warn'],
  { cwd: root, quiet: true },
)
const main = join(root, 'dist', 'bench', 'run.js')
if (code !== 0 || !existsSync(main)) {
  process.stderr.write('The benchmark could not be built.\n')
  process.exit(1)
}
process.exitCode = await runNode(['--enable-source-maps', main, ...process.argv.slice(2)], { cwd: root })
