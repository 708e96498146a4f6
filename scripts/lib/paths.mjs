// Where this copy of Plexus lies and where its builds go.
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))))
export const modulesDir = join(root, 'node_modules')
export const pageDir = join(root, 'dist', 'page')
export const helperDir = join(root, 'dist', 'helper')
/** Stamps and the lock live beside what they describe: removing node_modules removes them too. */
export const stateDir = join(modulesDir, '.cache', 'plexus')
