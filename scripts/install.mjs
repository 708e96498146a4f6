// Installs what the lockfile names, when what is there does not match it.
import { requireNode } from './lib/node-version.mjs'
import { ensureInstalled } from './lib/install.mjs'

requireNode()
process.exitCode = (await ensureInstalled()) ? 0 : 1
