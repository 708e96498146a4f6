/** One entry of a log, with the number it was given when it was appended. */
export interface LogEntry {
  readonly sequence: number
  readonly bytes: Uint8Array
}

/** An entry as a store gives it: undefined bytes are damaged or gone, and no longer what was appended. */
export interface ReadEntry {
  readonly sequence: number
  readonly bytes: Uint8Array | undefined
}

/** A record as a store gives it: an undefined value is damaged, and no longer what was put. */
export interface ReadRecord {
  readonly key: string
  readonly value: Uint8Array | undefined
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
 * What is damaged is told item by item, so that it costs what is in it and nothing
 * else. Whoever can do without uses {@link getWhole}, {@link wholeRecords} and
 * {@link wholeEntries}, which tell the log; what nobody can do without is kept twice.
 *
 * @throws MeshError `storage-full`, `storage-failed` or `storage-corrupt`; nothing
 * was written then.
 */
export interface Store {
  /** @throws MeshError `storage-corrupt` also for a record that is there and damaged */
  get(key: string, options?: StoreOptions): Promise<Uint8Array | undefined>
  put(key: string, value: Uint8Array, options?: StoreOptions): Promise<void>
  delete(key: string, options?: StoreOptions): Promise<void>
  /** All records whose key begins with `prefix`, in the order of their keys. */
  list(prefix: string, options?: StoreOptions): Promise<ReadRecord[]>
  /** Adds the entries in one transaction, all or none; resolves to the last sequence number (the first is 1). */
  append(log: string, entries: readonly Uint8Array[], options?: StoreOptions): Promise<number>
  /** Entries with a sequence number above `after`, and no others are touched than those asked for, in order. */
  readLog(log: string, after: number, options?: ReadLogOptions): Promise<ReadEntry[]>
  /** Forgets a whole log. */
  dropLog(log: string, options?: StoreOptions): Promise<void>
  close(): Promise<void>
}

/** A store as the platform gives it: what a sealed store lies over. */
export interface PlatformStore extends Store {
  // what is damaged is seen by who sealed it
  list(prefix: string, options?: StoreOptions): Promise<{ key: string; value: Uint8Array }[]>
  readLog(log: string, after: number, options?: ReadLogOptions): Promise<LogEntry[]>
  /** Names of all logs that hold an entry, in order. */
  logs(options?: StoreOptions): Promise<string[]>
  /**
   * Takes what was deleted or overwritten out of the files too, as far as the platform
   * lets one: LevelDB does, IndexedDB tidies up when it likes.
   */
  scrub(options?: StoreOptions): Promise<void>
}
