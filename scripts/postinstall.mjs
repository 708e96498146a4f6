// Applies the patches of libraries after an install, and builds nothing. Does no
// harm where it cannot: patch-package absent (an install without it), or Plexus
// installed as a dependency of something else.
import { existsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { modulesDir, root } from './lib/paths.mjs'
import { patchedFile, patchesDir, patchesWanted } from './lib/patches.mjs'
import { run } from './lib/run.mjs'

const patchTool = join(modulesDir, 'patch-package', 'index.js')

if (existsSync(patchTool) && existsSync(patchesDir)) {
  const code = await run(process.execPath, [patchTool, '--error-on-fail'], { cwd: root, quiet: true })
  if (code !== 0) {
    process.stderr.write(
      'A library could not be patched: its version does not fit the patches folder. Install from the lockfile with "npm ci".\n',
    )
    process.exitCode = 1
  } else {
    await writeFile(patchedFile, await patchesWanted())
  }
}
