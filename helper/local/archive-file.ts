import { createReadStream } from 'node:fs'
import { open, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { isMeshError, MeshError, messageOf, type Random } from '../../mesh/base/index.ts'
import { aboutArchive } from '../../mesh/seal/index.ts'
import { toHex } from '../../mesh/wire/index.ts'
import { syncDirectory } from '../data-dir/index.ts'

/** Enough of a file to know that it is an archive: its longest head. */
const START_BYTES = 2_048

interface Cancellable {
  readonly signal: AbortSignal
}

/**
 * Writes an archive beside its place and puts it there whole; only this user may read
 * it. Gives its size in bytes.
 * @throws MeshError `conflict` where a file that is no archive has the place, `storage-full`, `storage-failed`
 */
export async function writeArchive(
  file: string,
  pieces: AsyncIterable<Uint8Array>,
  { random, signal }: Cancellable & { readonly random: Random },
): Promise<number> {
  await refuseOther(file)
  const part = `${file}.${toHex(random.bytes(4))}.part`
  let sizeBytes = 0
  try {
    const handle = await open(part, 'wx', 0o600)
    try {
      for await (const piece of pieces) {
        signal.throwIfAborted()
        await handle.writeFile(piece)
        sizeBytes += piece.byteLength
      }
      await handle.sync()
    } finally {
      await handle.close()
    }
    await rename(part, file)
    // without it a power cut may leave no archive after it was said to be written
    await syncDirectory(dirname(file))
  } catch (error) {
    await rm(part, { force: true })
    throw fileError(error, file, 'written')
  }
  return sizeBytes
}

/** Reads an archive piece by piece. @throws MeshError `storage-failed` */
export async function* readArchive(file: string, { signal }: Cancellable): AsyncGenerator<Uint8Array> {
  try {
    for await (const piece of createReadStream(file, { signal })) yield piece as Uint8Array
  } catch (error) {
    throw fileError(error, file, 'read')
  }
}

async function refuseOther(file: string): Promise<void> {
  let start: Uint8Array
  try {
    const handle = await open(file, 'r')
    try {
      const { buffer, bytesRead } = await handle.read(Buffer.alloc(START_BYTES), 0, START_BYTES, 0)
      start = new Uint8Array(buffer.subarray(0, bytesRead))
    } finally {
      await handle.close()
    }
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return
    throw fileError(error, file, 'written')
  }
  try {
    aboutArchive(start)
  } catch {
    throw new MeshError('conflict', `${file} is there and is no archive of Plexus. It was left as it is.`)
  }
}

function fileError(error: unknown, file: string, what: 'read' | 'written'): unknown {
  if (isMeshError(error) || (error instanceof Error && error.name === 'AbortError')) return error
  const code = codeOf(error) === 'ENOSPC' || codeOf(error) === 'EDQUOT' ? 'storage-full' : 'storage-failed'
  return new MeshError(code, `${file} cannot be ${what}: ${messageOf(error)}.`, {
    cause: error,
    detail: { path: file },
  })
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined
}
