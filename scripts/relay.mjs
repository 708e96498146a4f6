// npm run relay: the blind relay alone.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { requireNode } from './lib/node-version.mjs'
import { ensureBuilt } from './lib/build.mjs'
import { ensureInstalled } from './lib/install.mjs'
import { helperDir } from './lib/paths.mjs'
import { runNode } from './lib/run.mjs'

requireNode()
if (!(await ensureInstalled())) process.exit(1)
const main = join(helperDir, 'relay.js')
if (!(await ensureBuilt(['helper'])) && !existsSync(main)) process.exit(1)
process.exitCode = await runNode(['--enable-source-maps', main, ...process.argv.slice(2)])
