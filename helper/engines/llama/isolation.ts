import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { isAbsolute, join, relative } from 'node:path'

/** What keeps an engine process from the rest of the machine. */
export interface Isolation {
  /** Whether it has no network and does not see the data directory. */
  readonly isApart: boolean
  /** Where it is not: why, in words. */
  readonly reason?: string
}

/** A program with its arguments. */
export interface Launch {
  readonly command: string
  readonly args: readonly string[]
}

/**
 * Runs before the engine, in its namespaces: lays an empty directory over the data
 * directory, puts back the one model file if it lies in there, gives up every
 * capability, and becomes the engine. The file is held open meanwhile, because its
 * path is covered. $1: the data directory, or nothing; $2: the file, or nothing.
 */
const COVER = `
set -e
dir=$1
file=$2
shift 2
if [ -n "$dir" ]; then
  if [ -n "$file" ]; then exec 9<"$file"; fi
  mount -t tmpfs -o mode=0755,size=64k tmpfs "$dir"
  if [ -n "$file" ]; then
    mkdir -p "$(dirname "$file")"
    : > "$file"
    mount --no-canonicalize --bind /proc/self/fd/9 "$file"
    exec 9<&-
  fi
  mount -o remount,ro "$dir"
fi
exec setpriv --no-new-privs --bounding-set=-all --inh-caps=-all -- "$@"
`

/** The directory of the trial, given with a word before it, so that it is no part of the program. */
const SHELL_DIR = '"${0#dir:}"'

/** The longest the trial may take, in ms. */
const TRIAL_MS = 5_000

let found: Isolation | undefined

/**
 * What this system offers without further rights, tried once: on Linux, namespaces of
 * the user's own. Systems may forbid them (containers, some distributions).
 */
export function findIsolation(): Isolation {
  found ??=
    process.platform === 'linux' ? tryNamespaces() : { isApart: false, reason: `${process.platform} has none we use` }
  return found
}

/**
 * The program in namespaces of its own: no network, no sight of `dataDir` but for
 * `file`, and no way to read the memory or open files of the helper, though it is the
 * same user. It keeps its process id.
 */
export function apart(program: Launch, dataDir: string, file: string): Launch {
  // somebody who keeps their data around the program itself covers nothing: it would not be found
  const covered = [program.command, ...program.args].some((part) => liesIn(dataDir, part)) ? '' : dataDir
  return {
    command: 'unshare',
    args: [
      ...['--user', '--map-root-user', '--net', '--ipc', '--mount', '--propagation', 'private', '--'],
      ...['/bin/sh', '-c', COVER, 'sh', covered, liesIn(dataDir, file) ? file : ''],
      ...[program.command, ...program.args],
    ],
  }
}

function liesIn(dir: string, path: string): boolean {
  if (!isAbsolute(path)) return false
  const inside = relative(dir, path)
  return inside !== '' && !inside.startsWith('..') && !isAbsolute(inside)
}

/** Does all of it once, to the end: half of it would cost a model its load. */
function tryNamespaces(): Isolation {
  let dir: string | undefined
  try {
    dir = mkdtempSync(join(tmpdir(), 'plexus-apart-'))
    const file = join(dir, 'kept')
    writeFileSync(file, 'kept')
    writeFileSync(join(dir, 'hidden'), 'hidden')
    const { command, args } = apart(
      { command: '/bin/sh', args: ['-c', `cat ${SHELL_DIR}/kept; ls ${SHELL_DIR}`, `dir:${dir}`] },
      dir,
      file,
    )
    const { error, status, stdout, stderr } = spawnSync(command, [...args], { timeout: TRIAL_MS, encoding: 'utf8' })
    if (error !== undefined) return { isApart: false, reason: error.message }
    if (status === 0 && stdout.trim() === 'keptkept') return { isApart: true }
    return { isApart: false, reason: stderr.trim().split('\n').at(-1)?.slice(0, 200) ?? 'it was refused' }
  } catch (error) {
    return { isApart: false, reason: error instanceof Error ? error.message : 'it was refused' }
  } finally {
    if (dir !== undefined) rmSync(dir, { recursive: true, force: true })
  }
}
