import { MeshError } from '../../mesh/base/index.ts'
import type { MeshArchives } from '../../mesh/archive-types.ts'

/** The passphrase of a fake archive. */
export const FAKE_ARCHIVE_PASSPHRASE = 'four herons in the rain'

/** Archives that are always of the same size and hold the same. */
export const FAKE_ARCHIVES: MeshArchives = {
  async *exportAll() {
    await Promise.resolve()
    for (let at = 0; at < 3; at += 1) yield new Uint8Array(700_000)
  },
  async inspectArchive(bytes, { key }) {
    for await (const piece of bytes) {
      if (piece[0] === 0x21) throw new MeshError('integrity', 'This archive is damaged.')
    }
    if (key.kind !== 'passphrase' || key.passphrase !== FAKE_ARCHIVE_PASSPHRASE)
      throw new MeshError('passphrase-wrong', 'This passphrase does not open it.')
    return { name: 'Ana', at: Date.UTC(2026, 10, 20, 9, 30), rooms: 3, chats: 12 }
  },
  async importAll(bytes) {
    const pieces = []
    for await (const piece of bytes) pieces.push(piece)
    return { rooms: 3, chats: 2 }
  },
}

/** A mesh that exports and imports nothing. */
export const NO_ARCHIVES: MeshArchives = {
  exportAll() {
    throw new MeshError('unsupported', 'A fake mesh does not do this.')
  },
  inspectArchive: () => Promise.reject(new MeshError('unsupported', 'A fake mesh does not do this.')),
  importAll: () => Promise.reject(new MeshError('unsupported', 'A fake mesh does not do this.')),
}
