// Packages of the system that tests need, where the system is Debian's and installing is ours to do.
import { spawnSync } from 'node:child_process'
import { run } from './run.mjs'

/** Whether packages may be installed here: Debian's tools, and the right to use them. */
export function mayInstall() {
  const isRoot = typeof process.getuid === 'function' && process.getuid() === 0
  return isRoot && spawnSync('apt-get', ['--version'], { stdio: 'ignore' }).status === 0
}

/** Installs Debian packages; false, with the reason on standard error, when that fails. */
export async function installPackages(names) {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  if ((await run('apt-get', ['update', '-qq'], { quiet: true, env })) !== 0) return false
  return (
    (await run('apt-get', ['install', '-y', '-qq', '--no-install-recommends', ...names], { quiet: true, env })) === 0
  )
}
