import { constants } from 'node:fs'
import { chmod, mkdir, open, stat, type FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import { MeshError, messageOf } from '../../mesh/base/index.ts'
import { systemCode } from './disk.ts'

/** The folders of a library, all of them 0700. */
export interface Folders {
  readonly root: string
  readonly blobs: string
  readonly parts: string
}

/** Makes the folders of the library. @throws MeshError `data-dir-unusable`. */
export async function makeFolders(dataDir: string): Promise<Folders> {
  const root = join(dataDir, 'models')
  const folders = { root, blobs: join(root, 'blobs'), parts: join(root, 'parts') }
  try {
    for (const folder of [root, folders.blobs, folders.parts]) {
      await mkdir(folder, { recursive: true, mode: 0o700 })
      await chmod(folder, 0o700)
    }
    return folders
  } catch (error) {
    throw new MeshError('data-dir-unusable', `The folder ${root} cannot be written to: ${messageOf(error)}.`, {
      cause: error,
    })
  }
}

/** The one place where a path is made: from our own hash, never from a name (CVE-2024-37032). */
export function blobPath(blobs: string, sha256: string): string {
  if (!/^[0-9a-f]{64}$/.test(sha256)) throw new MeshError('bug', 'A model without a hash has no place in the library.')
  return join(blobs, `${sha256}.gguf`)
}

/** True when a file of that hash and size is in its place. */
export async function hasBlob(blobs: string, sha256: string, sizeBytes: number): Promise<boolean> {
  const stats = await stat(blobPath(blobs, sha256)).catch(() => undefined)
  return stats?.isFile() === true && stats.size === sizeBytes
}

/** Opens a model file for reading; anything but a plain file is refused. @throws MeshError `model-unavailable`. */
export async function openModelFile(file: string): Promise<FileHandle> {
  try {
    // O_NONBLOCK: a named pipe must not hold the start up for ever. Windows lacks the flag; | makes that 0.
    const handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK)
    if ((await handle.stat()).isFile()) return handle
    await handle.close()
  } catch (error) {
    if (systemCode(error) === undefined) throw error
    throw new MeshError('model-unavailable', `The file cannot be read (${systemCode(error) ?? ''}).`, { cause: error })
  }
  throw new MeshError('model-unavailable', 'This is not a file.')
}
