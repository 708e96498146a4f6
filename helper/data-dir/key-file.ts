import { open, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { MeshError, messageOf, throwIfAborted, type Random } from '../../mesh/base/index.ts'
import { SECRET_KEY_BYTES, secretKey, type DeviceKeeper, type SecretKey } from '../../mesh/seal/index.ts'
import { readPrivate, writePrivate } from './private-files.ts'
import { syncDirectory } from './sync-directory.ts'

/**
 * The key of this device in a file of its own that only its user may read. What it
 * protects is the store without it: a copy of the store alone, a disk of backups that
 * leaves the file out. Who has both has all; that is what a passphrase is for.
 */
export function createKeyFile(file: string, random: Random): DeviceKeeper {
  return {
    async load(options) {
      throwIfAborted(options?.signal)
      const text = await readPrivate(file)
      return text === undefined ? undefined : keyOf(text.trim(), file)
    },
    async make(options) {
      throwIfAborted(options?.signal)
      const text = Buffer.from(random.bytes(SECRET_KEY_BYTES)).toString('base64url')
      await writePrivate(file, `${text}\n`)
      await settle(dirname(file))
      return keyOf(text, file)
    },
    async forget(options) {
      throwIfAborted(options?.signal)
      if ((await readPrivate(file)) === undefined) return
      await blank(file)
      await rm(file, { force: true })
      await settle(dirname(file))
    },
  }
}

function keyOf(text: string, file: string): Promise<SecretKey> {
  const bytes = Buffer.from(text, 'base64url')
  if (bytes.byteLength !== SECRET_KEY_BYTES) {
    const sentence = `${file} does not hold the key of this device: it is damaged.`
    throw new MeshError('storage-corrupt', sentence, { detail: { path: file } })
  }
  return secretKey(bytes)
}

/** Where the file system writes in place, the key is gone from the disk too, not only its name. */
async function blank(file: string): Promise<void> {
  const handle = await open(file, 'r+')
  try {
    const { size } = await handle.stat()
    await handle.write(Buffer.alloc(size), 0, size, 0)
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** @throws MeshError `data-dir-unusable` */
async function settle(directory: string): Promise<void> {
  try {
    await syncDirectory(directory)
  } catch (error) {
    throw new MeshError('data-dir-unusable', `${directory} cannot be written: ${messageOf(error)}.`, { cause: error })
  }
}
