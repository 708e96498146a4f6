import { readFileSync } from 'node:fs'

/** When a process began, in ticks since boot; null where it cannot be told. Tells a process from a later one with its id. */
export function processStart(pid) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return fields[0] === 'Z' || fields[0] === 'X' ? 'dead' : fields[19]
  } catch {
    return null
  }
}
