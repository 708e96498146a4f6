// npm start: installs what is missing, builds what changed, runs the helper.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { requireNode } from './lib/node-version.mjs'
import { ensureBuilt } from './lib/build.mjs'
import { ensureInstalled } from './lib/install.mjs'
import { helperDir } from './lib/paths.mjs'

requireNode()
if (!(await ensureInstalled())) process.exit(1)
const isPageBuilt = await ensureBuilt(['page'])
const isHelperBuilt = await ensureBuilt(['helper'])
const main = join(helperDir, 'main.js')
if (!isHelperBuilt && !existsSync(main)) process.exit(1)
if (!isPageBuilt) process.stderr.write('Going on without a new page: the command line and the gateway work.\n')
// in this very process: whoever ends "npm start" ends the helper, and no signal has to be handed on
process.setSourceMapsEnabled(true)
await import(pathToFileURL(main).href)
