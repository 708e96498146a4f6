import { randomBytes } from 'node:crypto'
import { open, readFile, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { MeshError, messageOf, type ErrorCode } from '../../mesh/base/index.ts'

/**
 * Writes a file that only its owner may read, whole or not at all: a reader sees
 * the old content or the new one, also after a power cut.
 * @throws MeshError `storage-full`, `data-dir-unusable`.
 */
export async function writePrivate(file: string, content: string): Promise<void> {
  const draft = join(dirname(file), `.draft-${randomBytes(8).toString('hex')}`)
  try {
    const handle = await open(draft, 'wx', 0o600)
    try {
      await handle.writeFile(content)
      await handle.sync()
    } finally {
      await handle.close()
    }
    await rename(draft, file)
  } catch (error) {
    await rm(draft, { force: true })
    const code: ErrorCode = (error as NodeJS.ErrnoException).code === 'ENOSPC' ? 'storage-full' : 'data-dir-unusable'
    throw new MeshError(code, `${file} cannot be written: ${messageOf(error)}.`, { cause: error })
  }
}

/** The file's text, or undefined when there is none. @throws MeshError `data-dir-unusable`. */
export async function readPrivate(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined
    throw new MeshError('data-dir-unusable', `${file} cannot be read: ${messageOf(error)}.`, { cause: error })
  }
}
