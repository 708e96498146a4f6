import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { messageOf, type Clock, type Logger } from '../../mesh/base/index.ts'
import { fileByteSource, readGgufHeader } from './gguf.ts'
import { freeId, idFromName } from './naming.ts'
import { openModelFile, type Folders } from './places.ts'
import type { KeptModel, LibraryRecords } from './records.ts'

/**
 * Makes records and files agree after a kill: a record whose file is gone is
 * dropped, a file without a record gets one and is hashed before its first load.
 */
export async function reconcile(
  records: LibraryRecords,
  folders: Folders,
  clock: Clock,
  log: Logger,
): Promise<LibraryRecords> {
  const names = await readdir(folders.blobs)
  const hashes = new Set(names.flatMap((name) => /^([0-9a-f]{64})\.gguf$/.exec(name)?.slice(1) ?? []))
  const models = records.models.filter((model) => {
    if (hashes.has(model.sha256)) return true
    log.warn('the file of a model is gone; the model is taken off the list', { model: model.id })
    return false
  })
  for (const sha256 of hashes) {
    if (models.some((model) => model.sha256 === sha256)) continue
    const found = await adopt(join(folders.blobs, `${sha256}.gguf`), sha256, models, clock, log)
    if (found !== undefined) models.push(found)
  }
  return { ...records, models }
}

async function adopt(
  file: string,
  sha256: string,
  models: readonly KeptModel[],
  clock: Clock,
  log: Logger,
): Promise<KeptModel | undefined> {
  try {
    const handle = await openModelFile(file)
    try {
      const header = await readGgufHeader(await fileByteSource(handle))
      log.info('a model without a record was found and is listed again', { sha256 })
      return {
        id: freeId(idFromName(header.name), (id) => models.some((model) => model.id === id)),
        sha256,
        sizeBytes: header.fileSizeBytes,
        contextTokens: header.contextTokens,
        addedAt: clock.now(),
        chosenAt: 0,
        source: 'already here',
        verified: false,
      }
    } finally {
      await handle.close()
    }
  } catch (error) {
    log.warn('a file in the library is not a usable model; it is left alone', { sha256, reason: messageOf(error) })
    return undefined
  }
}
