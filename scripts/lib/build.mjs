// Builds the page and the helper when their sources changed since the last build.
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'
import { withLock } from './dir-lock.mjs'
import { lockFile, waiting } from './install.mjs'
import { helperDir, modulesDir, pageDir, root } from './paths.mjs'
import { runSilently } from './run.mjs'

/** What is built: from which sources, by which configuration, and which file says that it worked. */
const TARGETS = {
  page: {
    sources: ['app', 'mesh', 'public', 'index.html', 'vite.config.ts', 'package-lock.json'],
    config: 'vite.config.ts',
    result: join(pageDir, 'index.html'),
    stamp: join(root, 'dist', '.page-stamp'),
  },
  helper: {
    sources: ['helper', 'relay', 'mesh', 'vite.helper.config.ts', 'package-lock.json'],
    config: 'vite.helper.config.ts',
    result: join(helperDir, 'main.js'),
    stamp: join(root, 'dist', '.helper-stamp'),
    keepsOld: true,
  },
}

/** Files of an earlier build stay this long for helpers that still run from them. */
const OLD_MS = 24 * 60 * 60_000

/**
 * Builds each named target whose sources changed. False when one of them failed;
 * the others are built all the same.
 */
export async function ensureBuilt(names, { say = tell, force = false } = {}) {
  // installed without sources: what was packed is what there is
  if (!existsSync(join(root, 'vite.helper.config.ts'))) return names.every((name) => existsSync(TARGETS[name].result))
  const stale = []
  for (const name of names) if (force || !(await isFresh(TARGETS[name]))) stale.push(name)
  if (stale.length === 0) return true
  return withLock(lockFile, waiting(say), async () => {
    let ok = true
    for (const name of stale) ok = (await buildOne(name, say, force)) && ok
    return ok
  })
}

async function buildOne(name, say, force) {
  const target = TARGETS[name]
  const wanted = await sourcesHash(target)
  if (!force && (await isFresh(target, wanted))) return true
  if (!existsSync(join(root, target.config))) {
    say(`There is no ${target.config}: the ${name} cannot be built.`)
    return false
  }
  say(`Building the ${name}.`)
  await rm(target.stamp, { force: true })
  const vite = join(modulesDir, 'vite', 'bin', 'vite.js')
  const code = await runSilently(process.execPath, [vite, 'build', '--config', target.config, '--logLevel', 'warn'], {
    cwd: root,
    // whoever builds from within a test gets what people get
    env: { ...process.env, NODE_ENV: 'production' },
  })
  if (code !== 0 || !existsSync(target.result)) {
    say(`The ${name} could not be built; the reason is above.`)
    return false
  }
  await removeOld(dirname(target.result), target.keepsOld)
  await mkdir(dirname(target.stamp), { recursive: true })
  await writeFile(target.stamp, wanted)
  return true
}

/** Removes what earlier builds left, once nothing that still starts can want it. */
async function removeOld(dir, keepsOld) {
  if (keepsOld !== true) return
  for (const name of await readdir(dir)) {
    const file = join(dir, name)
    const { mtimeMs } = await stat(file)
    if (Date.now() - mtimeMs > OLD_MS) await rm(file, { force: true, recursive: true })
  }
}

async function isFresh(target, wanted) {
  if (!existsSync(target.result)) return false
  try {
    return (await readFile(target.stamp, 'utf8')) === (wanted ?? (await sourcesHash(target)))
  } catch {
    return false
  }
}

/** A hash over names and contents: times change with every checkout, contents do not. */
async function sourcesHash(target) {
  const files = []
  for (const source of target.sources) await collect(join(root, source), files)
  const hash = createHash('sha256')
  for (const file of files.sort()) {
    hash.update(relative(root, file).replaceAll('\\', '/')).update('\0')
    hash.update(await readFile(file)).update('\0')
  }
  return hash.digest('hex')
}

async function collect(path, files) {
  let info
  try {
    info = await stat(path)
  } catch {
    return
  }
  if (info.isFile()) {
    if (!/\.test\.ts$/.test(path)) files.push(path)
    return
  }
  // what starts with a dot is a tool's own: svelte-check leaves some for as long as it runs
  for (const name of await readdir(path)) if (!name.startsWith('.')) await collect(join(path, name), files)
}

function tell(sentence) {
  process.stderr.write(`${sentence}\n`)
}
