// npm run relay: the blind relay alone.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { requireNode } from './lib/node-version.mjs'
import { ensureBuilt } from './lib/build.mjs'
import { ensureInstalled } from './lib/install.mjs'
import { helperDir } from './lib/paths.mjs'

requireNode()
if (!(await ensureInstalled())) process.exit(1)
const main = join(helperDir, 'relay.js')
if (!(await ensureBuilt(['helper'])) && !existsSync(main)) process.exit(1)
process.setSourceMapsEnabled(true)
await import(pathToFileURL(main).href)
