// Finds out whether tests over network namespaces can run here, and installs what they need.
import { spawnSync } from 'node:child_process'
import { installPackages, mayInstall } from './system-packages.mjs'

const works = (command, args) => spawnSync(command, args, { stdio: 'ignore' }).status === 0

/** Whether this process may make network namespaces with a bridge between them, and has the tools for it. */
export function canMakeNamespaces() {
  if (process.platform !== 'linux' || spawnSync('certutil', ['--help'], { stdio: 'ignore' }).error) return false
  const name = `plexus-probe-${process.pid}`
  if (!works('ip', ['netns', 'add', name])) return false
  const ok = works('ip', ['-n', name, 'link', 'add', 'bridge', 'type', 'bridge'])
  return works('ip', ['netns', 'del', name]) && ok
}

/** The same, after installing the tools where that is ours to do; says so where it cannot be. */
export async function ensureNamespaces(say) {
  if (canMakeNamespaces()) return true
  if (process.platform === 'linux' && mayInstall()) {
    say('Installing iproute2 and libnss3-tools for the tests over network namespaces.')
    if ((await installPackages(['iproute2', 'libnss3-tools'])) && canMakeNamespaces()) return true
  }
  say(
    'Network namespaces cannot be made here: THE TESTS OF PHONES ON A LOCAL NETWORK ARE LEFT OUT. They need Linux, root, iproute2 and certutil (libnss3-tools).',
  )
  return false
}
