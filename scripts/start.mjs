// npm start: installs what is missing, builds what changed, runs the helper.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { requireNode } from './lib/node-version.mjs'
import { ensureBuilt } from './lib/build.mjs'
import { ensureInstalled } from './lib/install.mjs'
import { helperDir } from './lib/paths.mjs'
import { runNode } from './lib/run.mjs'

requireNode()
if (!(await ensureInstalled())) process.exit(1)
const isPageBuilt = await ensureBuilt(['page'])
const isHelperBuilt = await ensureBuilt(['helper'])
const main = join(helperDir, 'main.js')
if (!isHelperBuilt && !existsSync(main)) process.exit(1)
if (!isPageBuilt) process.stderr.write('Going on without a new page: the command line and the gateway work.\n')
process.exitCode = await runNode(['--enable-source-maps', main, ...process.argv.slice(2)])
