import { createHash, type Hash } from 'node:crypto'
import { open, readFile, rename, rm, writeFile, type FileHandle } from 'node:fs/promises'
import { constants } from 'node:fs'
import { dirname } from 'node:path'
import * as z from 'zod'
import { MeshError, throwIfAborted } from '../../mesh/base/index.ts'
import { diskError, systemCode, type Disk } from './disk.ts'

/** After this many bytes the received part is made durable and its hash noted. */
const CHECKPOINT_BYTES = 8 * 1024 * 1024
const READ_BYTES = 1024 * 1024

const Journal = z.strictObject({
  key: z.string().max(512),
  verifiedBytes: z.int().min(0),
  prefixSha256: z.string().regex(/^[0-9a-f]{64}$/),
})

/** A file on its way here: grows at its end, survives a kill, knows its hash. */
export interface PartFile {
  readonly file: string
  /** Bytes that are here and hashed. */
  readonly receivedBytes: number
  /** @throws MeshError `storage-full`, `storage-failed`; what was received before is kept. */
  append(bytes: Uint8Array): Promise<void>
  /** Forgets everything received. */
  restart(): Promise<void>
  /** SHA-256 of everything received, lower-case hex. */
  digest(): string
  /** Makes what was received durable and lets go of the file; a later open goes on from there. */
  close(): Promise<void>
  /** Closes and deletes. */
  discard(): Promise<void>
}

/**
 * Opens or resumes the part at `file`. Of an earlier try only the bytes whose
 * hash was noted, and still is the same, are taken; `key` says what was being
 * fetched, and another key starts again.
 */
export async function openPartFile(
  file: string,
  key: string,
  disk: Disk,
  options: { signal?: AbortSignal | undefined } = {},
): Promise<PartFile> {
  const folder = dirname(file)
  const journalFile = `${file}.json`
  let handle: FileHandle
  try {
    handle = await open(file, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o600)
  } catch (error) {
    throw diskError(error, folder)
  }
  let hash: Hash = createHash('sha256')
  let received = 0
  let noted = 0

  const note = async (): Promise<void> => {
    await handle.datasync()
    const journal = { key, verifiedBytes: received, prefixSha256: hash.copy().digest('hex') }
    await writeFile(`${journalFile}.new`, JSON.stringify(journal), { mode: 0o600 })
    await rename(`${journalFile}.new`, journalFile)
    noted = received
  }
  const restart = async (): Promise<void> => {
    hash = createHash('sha256')
    received = 0
    noted = 0
    await handle.truncate(0)
    await rm(journalFile, { force: true })
  }

  try {
    const resumed = await resumePrefix(handle, journalFile, key, options.signal)
    if (resumed === undefined) await restart()
    else {
      hash = resumed.hash
      received = resumed.bytes
      noted = received
      await handle.truncate(received)
    }
  } catch (error) {
    await handle.close()
    throw diskError(error, folder)
  }

  return {
    file,
    get receivedBytes() {
      return received
    },
    async append(bytes) {
      try {
        await disk.write(handle, bytes, received)
        hash.update(bytes)
        received += bytes.byteLength
        if (received - noted >= CHECKPOINT_BYTES) await note()
      } catch (error) {
        throw diskError(error, folder)
      }
    },
    restart,
    digest: () => hash.copy().digest('hex'),
    async close() {
      try {
        if (received > noted) await note()
      } catch (error) {
        // On a full disk even the note may fail; the earlier one still holds.
        if (systemCode(error) === undefined) throw error
      } finally {
        await handle.close()
      }
    },
    async discard() {
      await handle.close()
      await rm(file, { force: true })
      await rm(journalFile, { force: true })
    },
  }
}

async function resumePrefix(
  handle: FileHandle,
  journalFile: string,
  key: string,
  signal: AbortSignal | undefined,
): Promise<{ hash: Hash; bytes: number } | undefined> {
  const journal = await readJournal(journalFile)
  if (journal?.key !== key || (await handle.stat()).size < journal.verifiedBytes) return undefined
  const hash = await hashPrefix(handle, journal.verifiedBytes, signal)
  return hash.copy().digest('hex') === journal.prefixSha256 ? { hash, bytes: journal.verifiedBytes } : undefined
}

async function readJournal(file: string): Promise<z.infer<typeof Journal> | undefined> {
  try {
    return Journal.safeParse(JSON.parse(await readFile(file, 'utf8'))).data
  } catch (error) {
    // No note, or one cut off by a power failure: the part starts again.
    if (systemCode(error) === 'ENOENT' || error instanceof SyntaxError) return undefined
    throw error
  }
}

async function hashPrefix(handle: FileHandle, lengthBytes: number, signal: AbortSignal | undefined): Promise<Hash> {
  const hash = createHash('sha256')
  const buffer = new Uint8Array(READ_BYTES)
  for (let at = 0; at < lengthBytes;) {
    throwIfAborted(signal)
    const { bytesRead } = await handle.read(buffer, 0, Math.min(READ_BYTES, lengthBytes - at), at)
    if (bytesRead === 0) throw new MeshError('storage-corrupt', 'A file became shorter while it was read.')
    hash.update(buffer.subarray(0, bytesRead))
    at += bytesRead
  }
  return hash
}

/** SHA-256 of a whole open file, lower-case hex. */
export async function hashFile(
  handle: FileHandle,
  options: { signal?: AbortSignal | undefined } = {},
): Promise<string> {
  const { size } = await handle.stat()
  return (await hashPrefix(handle, size, options.signal)).digest('hex')
}
