/** One entry of a log, with the number it was given when it was appended. */
export interface LogEntry {
  readonly sequence: number
  readonly bytes: Uint8Array
}

/** Options every store call takes. */
export interface StoreOptions {
  readonly signal?: AbortSignal | undefined
}

/** Options of reading a log. */
export interface ReadLogOptions extends StoreOptions {
  /** Entries up to this number; all, when it is left out. */
  readonly through?: number | undefined
}

/**
 * Port: what this device remembers. Records are small and overwritten; logs are
 * only appended to. A call resolves when the data is durable, not before.
 *
 * Keys and log names are made by Plexus, never by a peer: `[a-z0-9/_-]`, at most
 * 200 characters. Bytes given in are copied; bytes given out belong to the caller.
 *
 * @throws MeshError `storage-full`, `storage-failed` or `storage-corrupt`; nothing
 * was written then.
 */
export interface Store {
  get(key: string, options?: StoreOptions): Promise<Uint8Array | undefined>
  put(key: string, value: Uint8Array, options?: StoreOptions): Promise<void>
  delete(key: string, options?: StoreOptions): Promise<void>
  /** All records whose key begins with `prefix`, in the order of their keys. */
  list(prefix: string, options?: StoreOptions): Promise<{ key: string; value: Uint8Array }[]>
  /** Adds the entries in one transaction, all or none; resolves to the last sequence number (the first is 1). */
  append(log: string, entries: readonly Uint8Array[], options?: StoreOptions): Promise<number>
  /** Entries with a sequence number above `after`, and no others are touched than those asked for, in order. */
  readLog(log: string, after: number, options?: ReadLogOptions): Promise<LogEntry[]>
  /** Forgets a whole log. */
  dropLog(log: string, options?: StoreOptions): Promise<void>
  close(): Promise<void>
}

/** A store as the platform gives it: what a sealed store lies over. */
export interface PlatformStore extends Store {
  /** Names of all logs that hold an entry, in order. */
  logs(options?: StoreOptions): Promise<string[]>
  /**
   * Takes what was deleted or overwritten out of the files too, as far as the platform
   * lets one: LevelDB does, IndexedDB tidies up when it likes.
   */
  scrub(options?: StoreOptions): Promise<void>
}
