import { open } from 'node:fs/promises'
import { MeshError, messageOf, throwIfAborted } from '../../../mesh/base/index.ts'
import type { FileSpec } from '../offer.ts'
import { hashFile } from '../part-file.ts'
import type { ModelSource } from './source.ts'

const COPY_BYTES = 1024 * 1024

/** Copies a file the person named into the library; what it hashes to is what it is. */
export const fileSource: ModelSource<FileSpec> = {
  network: false,
  label: () => 'a file of this device',
  async fetch(spec, context) {
    const handle = await open(spec.path, 'r').catch((error: unknown) => {
      throw new MeshError('model-unavailable', `The file ${spec.path} could not be opened: ${messageOf(error)}.`, {
        cause: error,
      })
    })
    try {
      const expected = {
        sizeBytes: (await handle.stat()).size,
        sha256: await hashFile(handle, { signal: context.signal }),
      }
      const part = await context.openPart(`file ${expected.sha256}`, expected.sizeBytes)
      try {
        const buffer = new Uint8Array(COPY_BYTES)
        while (part.receivedBytes < expected.sizeBytes) {
          throwIfAborted(context.signal)
          const { bytesRead } = await handle.read(buffer, 0, COPY_BYTES, part.receivedBytes)
          if (bytesRead === 0) throw new MeshError('integrity', `The file ${spec.path} changed while it was copied.`)
          await part.append(buffer.subarray(0, bytesRead))
          context.onProgress(part.receivedBytes, expected.sizeBytes)
        }
      } catch (error) {
        await part.close()
        throw error
      }
      return { part, expected }
    } finally {
      await handle.close()
    }
  },
}
