#!/usr/bin/env node
// plexus: the command line. Builds first where nothing is built yet, and says so only on standard error.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { requireNode } from './lib/node-version.mjs'
import { helperDir } from './lib/paths.mjs'

requireNode()
const cli = join(helperDir, 'cli.js')
if (!existsSync(cli)) {
  const { ensureInstalled } = await import('./lib/install.mjs')
  const { ensureBuilt } = await import('./lib/build.mjs')
  if (!(await ensureInstalled()) || !(await ensureBuilt(['helper']))) process.exit(1)
}
await import(pathToFileURL(cli).href)
