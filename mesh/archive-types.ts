import type { ArchiveKey, ArchiveLock, ArchiveRecord } from './seal/index.ts'

interface Cancellable {
  readonly signal?: AbortSignal | undefined
}

/** How everything is exported. */
export interface ExportOptions extends Cancellable {
  /** What the archive is locked with. */
  readonly lock: ArchiveLock
  /** What the caller has beside rooms and chats, such as settings; each under a kind of its own. */
  readonly more?: Iterable<ArchiveRecord> | undefined
}

/** How an archive is imported. */
export interface ImportOptions extends Cancellable {
  readonly key: ArchiveKey
  /** Told once everything is here: records of kinds that are not the mesh's own. */
  readonly onRecord?: ((record: ArchiveRecord) => void) | undefined
}

/** What an import brought that was not here before. */
export interface ImportResult {
  /** Rooms that are new or have messages they had not. */
  readonly rooms: number
  readonly chats: number
}

/** Everything of this device's person, out of it and into it. */
export interface MeshArchives {
  /**
   * Everything as one sealed archive, piece by piece: rooms with all this device can read, and chats.
   * @throws MeshError `usage` for a short passphrase, and of the store
   */
  exportAll(options: ExportOptions): AsyncIterable<Uint8Array>
  /**
   * Brings an archive into this device's own identity and mesh. It is read to its end before
   * anything of it shows; then each room and chat comes whole or not at all, and what is here
   * already is not doubled. Whoever has the chats open reads them again afterwards.
   * @throws MeshError `passphrase-wrong`, `malformed`, `unsupported`, `integrity`, `too-large`, `unauthorized`, and of the store
   */
  importAll(bytes: AsyncIterable<Uint8Array>, options: ImportOptions): Promise<ImportResult>
}
