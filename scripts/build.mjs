// npm run build: the page into dist/page, the helper, command line and relay into dist/helper.
import { requireNode } from './lib/node-version.mjs'
import { ensureBuilt } from './lib/build.mjs'
import { ensureInstalled } from './lib/install.mjs'

requireNode()
const wanted = process.argv.slice(2).filter((name) => name === 'page' || name === 'helper')
const targets = wanted.length === 0 ? ['helper', 'page'] : wanted
process.exitCode = (await ensureInstalled()) && (await ensureBuilt(targets, { force: true })) ? 0 : 1
