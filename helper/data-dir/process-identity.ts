import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

/** Whether a process with this id exists, ours or another user's. */
export function isProcessAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    // EPERM: it is there, and belongs to someone else
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

/**
 * What tells a process from a later one that got the same id: boot and start time
 * on Linux, start time on macOS and BSD; undefined where neither can be had.
 */
export function processStartMark(pid: number): string | undefined {
  if (process.platform === 'linux') return linuxStartMark(pid)
  if (process.platform === 'win32') return undefined
  try {
    const mark = execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim()
    return mark === '' ? undefined : mark
  } catch {
    return undefined
  }
}

function linuxStartMark(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${String(pid)}/stat`, 'utf8')
    // the name in brackets may hold spaces and brackets itself; the fields after the last one do not
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    // a zombie holds no files any more: whoever waits for it has not looked yet
    if (fields[0] === 'Z' || fields[0] === 'X') return 'dead'
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
    return `${boot}:${fields[19] ?? ''}`
  } catch {
    return undefined
  }
}
