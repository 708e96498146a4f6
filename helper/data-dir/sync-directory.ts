import { open } from 'node:fs/promises'

/** Codes of file systems that sync no directory, or let nobody ask for it: there is no more to be had there. */
const CANNOT_SYNC: ReadonlySet<unknown> = new Set(['EINVAL', 'ENOTSUP', 'EISDIR', 'EACCES', 'EPERM'])

/**
 * A renamed or removed file is so after a power cut too, once its directory is synced:
 * durable when it resolves, as far as the file system lets one.
 * @throws the error of the file system
 */
export async function syncDirectory(directory: string): Promise<void> {
  if (process.platform === 'win32') return
  try {
    const handle = await open(directory, 'r')
    try {
      await handle.sync()
    } finally {
      await handle.close()
    }
  } catch (error) {
    if (!CANNOT_SYNC.has((error as NodeJS.ErrnoException).code)) throw error
  }
}
