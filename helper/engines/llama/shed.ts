import { closeSync, fstatSync, readdirSync } from 'node:fs'

/** Standard streams and the line to the helper. */
const KEPT_BELOW = 4

/**
 * Closes what this process inherited of the helper: files of its store and sockets of
 * its networks, which native libraries there open without close-on-exec. To be called
 * before anything foreign is read. Pipes and event queues are the runtime's own.
 */
export function shedInherited(): void {
  if (process.platform === 'win32') return
  for (const descriptor of openDescriptors()) {
    if (descriptor < KEPT_BELOW) continue
    try {
      const is = fstatSync(descriptor)
      if (is.isFile() || is.isDirectory() || is.isSocket() || is.isBlockDevice()) closeSync(descriptor)
    } catch {
      // closed in the meantime, like the one that listed them
    }
  }
}

function openDescriptors(): number[] {
  for (const dir of ['/proc/self/fd', '/dev/fd']) {
    try {
      return readdirSync(dir).map(Number).filter(Number.isInteger)
    } catch {
      // the other one, then
    }
  }
  return []
}
