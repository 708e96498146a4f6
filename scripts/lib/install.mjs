// Installs what the lockfile names, when what is there does not match it.
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { withLock } from './dir-lock.mjs'
import { patchedFile, patchesWanted } from './patches.mjs'
import { modulesDir, root, stateDir } from './paths.mjs'
import { npmCommand, run } from './run.mjs'

const stampFile = join(stateDir, 'installed')
export const lockFile = join(root, '.cache', 'work.lock')

/** These two libraries would otherwise fetch binaries from elsewhere while they install. */
const INSTALL_ENV = { NODE_LLAMA_CPP_SKIP_DOWNLOAD: 'true', ONNXRUNTIME_NODE_INSTALL: 'skip' }

/**
 * Makes node_modules match the lockfile; quick when it does. Two callers on one
 * clone wait for each other. False, with a sentence on standard error, when it failed.
 */
export async function ensureInstalled({ say = tell } = {}) {
  if (!isClone()) return true
  const wanted = await lockfileHash()
  if (await isInstalled(wanted)) return true
  return withLock(lockFile, waiting(say), async () => {
    if (await isInstalled(wanted)) return true
    say('Installing what Plexus needs (once; about a minute).')
    const [command, ...first] = npmCommand()
    // not "npm ci": it refuses a lockfile without the binaries of other systems, and those differ from registry to
    // registry. "install" takes every version from the lockfile all the same, and --no-save leaves the file as it is.
    const args = [...first, 'install', '--no-save', '--include=dev', '--no-fund', '--no-audit', '--loglevel=error']
    const code = await run(command, args, { cwd: root, quiet: true, env: { ...process.env, ...INSTALL_ENV } })
    if (code !== 0) {
      say(
        'The installation failed; what npm said is above. Without a package registry in reach Plexus cannot be installed.',
      )
      return false
    }
    await mkdir(stateDir, { recursive: true })
    await writeFile(stampFile, wanted)
    return true
  })
}

/** What to do when another process holds the lock: say it once. */
export function waiting(say) {
  return (pid) => say(`Waiting for process ${pid}, which installs or builds here.`)
}

// installed by "npm install -g" the package has its modules from npm, and no business in changing them
function isClone() {
  return (
    existsSync(join(root, 'package-lock.json')) && existsSync(join(root, 'vite.helper.config.ts')) && !isInsideModules()
  )
}

function isInsideModules() {
  return root.split(/[\\/]/).includes('node_modules')
}

async function lockfileHash() {
  const hash = createHash('sha256').update(await readFile(join(root, 'package-lock.json')))
  // patches are applied by the install: another patch is another install
  for (const name of (await readdir(join(root, 'patches')).catch(() => [])).sort()) {
    hash.update(name).update(await readFile(join(root, 'patches', name)))
  }
  return `${hash.digest('hex')} ${process.platform} ${process.arch}`
}

async function isInstalled(wanted) {
  try {
    if ((await readFile(stampFile, 'utf8')) === wanted) return true
  } catch {
    // no stamp yet
  }
  return adoptNpmInstall(wanted)
}

// "npm install" by hand leaves its own record of what it put there: believe it instead of doing it all again
async function adoptNpmInstall(wanted) {
  try {
    const [have, want] = await Promise.all(
      [join(modulesDir, '.package-lock.json'), join(root, 'package-lock.json')].map(async (file) =>
        JSON.parse(await readFile(file, 'utf8')),
      ),
    )
    for (const [path, entry] of Object.entries(want.packages)) {
      if (path === '' || entry.optional || entry.peer || entry.devOptional) continue
      const found = have.packages[path]
      if (found === undefined || found.version !== entry.version) return false
    }
    if (!(await arePatchesApplied())) return false
    await mkdir(stateDir, { recursive: true })
    await writeFile(stampFile, wanted)
    return true
  } catch {
    return false
  }
}

async function arePatchesApplied() {
  try {
    return (await readFile(patchedFile, 'utf8')) === (await patchesWanted())
  } catch {
    return false
  }
}

function tell(sentence) {
  process.stderr.write(`${sentence}\n`)
}
