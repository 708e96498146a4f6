import type { FileHandle } from 'node:fs/promises'
import { statfs } from 'node:fs/promises'
import { asMeshError, MeshError, messageOf } from '../../mesh/base/index.ts'

/** Port: the two things about a disk that tests must be able to let fail. */
export interface Disk {
  /** Bytes this user may still write in the folder. */
  freeBytes(folder: string): Promise<number>
  /** Writes all of it at the place. */
  write(handle: FileHandle, bytes: Uint8Array, position: number): Promise<void>
}

/** The real disk. */
export const systemDisk: Disk = {
  async freeBytes(folder) {
    const { bavail, bsize } = await statfs(folder)
    return bavail * bsize
  },
  async write(handle, bytes, position) {
    let done = 0
    while (done < bytes.byteLength) {
      const { bytesWritten } = await handle.write(bytes, done, bytes.byteLength - done, position + done)
      done += bytesWritten
    }
  },
}

/** The code (`ENOENT`, `ENOSPC`) of a failed system call, if it is one. */
export function systemCode(error: unknown): string | undefined {
  return typeof error === 'object' && error !== null && 'code' in error && typeof error.code === 'string'
    ? error.code
    : undefined
}

/** A failed write or read as a sentence: a full disk, or what the system said. */
export function diskError(error: unknown, folder: string): MeshError {
  if (error instanceof MeshError) return error
  const code = systemCode(error)
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new MeshError(
      'storage-full',
      `The disk of ${folder} is full. What was received is kept; make room and start again.`,
      { cause: error },
    )
  }
  if (code === undefined) return asMeshError(error)
  return new MeshError('storage-failed', `The folder ${folder} could not be used: ${messageOf(error)}.`, {
    cause: error,
  })
}
