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

/** What is in an archive, before anything of it is brought in. */
export interface ArchiveContent {
  /** Name of the person who exported it, as that device had it. */
  readonly name: string
  /** ms since 1970, by the clock of the device that made it. */
  readonly at: number
  readonly rooms: number
  readonly chats: number
}

/** How an archive is looked into. */
export interface InspectOptions extends Cancellable {
  readonly key: ArchiveKey
}

/** Everything of this device's person, out of it and into it. */
export interface MeshArchives {
  /**
   * Everything as one sealed archive, piece by piece: rooms with all this device can read, and chats.
   * @throws MeshError `usage` for a short passphrase, and of the store
   */
  exportAll(options: ExportOptions): AsyncIterable<Uint8Array>
  /**
   * Reads an archive to its end, so that it is known to be whole, and says what is in it. Nothing is kept.
   * @throws MeshError `passphrase-wrong`, `malformed`, `unsupported`, `integrity`, `too-large`
   */
  inspectArchive(bytes: AsyncIterable<Uint8Array>, options: InspectOptions): Promise<ArchiveContent>
  /**
   * Brings an archive into this device's own identity and mesh. It is read to its end before
   * anything of it shows; then each room and chat comes whole or not at all, and what is here
   * already is not doubled. Whoever has the chats open reads them again afterwards.
   * @throws MeshError `passphrase-wrong`, `malformed`, `unsupported`, `integrity`, `too-large`, `unauthorized`, and of the store
   */
  importAll(bytes: AsyncIterable<Uint8Array>, options: ImportOptions): Promise<ImportResult>
}
