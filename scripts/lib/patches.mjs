// What was patched into the installed libraries, as one text: a patch that changed must be seen, too.
import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { modulesDir, root } from './paths.mjs'

export const patchesDir = join(root, 'patches')
/** Where an install notes what it patched. */
export const patchedFile = join(modulesDir, '.plexus-patched')

/** Name and hash of every patch there is, a line each. */
export async function patchesWanted() {
  const names = (await readdir(patchesDir)).filter((name) => name.endsWith('.patch')).sort()
  const lines = names.map(async (name) => {
    const bytes = await readFile(join(patchesDir, name))
    return `${name} ${createHash('sha256').update(bytes).digest('hex')}`
  })
  return (await Promise.all(lines)).join('\n')
}
