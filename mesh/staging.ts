import * as z from 'zod/mini'
import {
  ARCHIVE_RECORD_MAX_BYTES,
  asMeshError,
  deleteTwice,
  getTwice,
  putTwice,
  wholeEntries,
  type Logger,
  type Store,
} from './base/index.ts'
import { checkPartSize, recordRole } from './archive-records.ts'
import type { ArchiveRecord } from './seal/index.ts'
import { bytes, decode, encode, text, whole } from './wire/index.ts'

/** Bytes of records that go to the store in one write. */
const WRITE_BYTES = 1024 * 1024
const ENTRY_MAX_BYTES = ARCHIVE_RECORD_MAX_BYTES + 256

const state = z.object({ parts: whole(), ready: whole(), leaving: z.optional(text(64)) })
const entry = z.object({ kind: text(60), body: bytes(ARCHIVE_RECORD_MAX_BYTES) })

interface Cancellable {
  readonly signal?: AbortSignal | undefined
}

/**
 * Records of rooms and chats on their way into this device, kept in its sealed store
 * until they are in place: what was begun is gone on with after a crash, or forgotten.
 * Several parts; each is one room or chat.
 */
export interface Staging {
  /**
   * Takes records in, behind those that are there. Not yet to be put in place.
   * @throws MeshError `too-large`, `integrity`, and of the Store; none of these records is kept then
   */
  add(records: AsyncIterable<ArchiveRecord> | Iterable<ArchiveRecord>, options?: Cancellable): Promise<void>
  /** Written down before this device leaves a mesh: if it did leave, what was added is to be put in place. */
  leaving(mesh: string, options?: Cancellable): Promise<void>
  /** What was added is to be put in place. */
  settle(options?: Cancellable): Promise<void>
  /** Forgets what was added and not settled. */
  discard(): Promise<void>
  /** Puts what is settled in place, part by part, and forgets each. Stops at the first that fails. */
  place(put: (records: readonly ArchiveRecord[]) => Promise<void>, options?: Cancellable): Promise<void>
  /** Forgets everything. A store that fails is told. */
  clear(): Promise<void>
  /** After a start: decides about what an earlier run left. `mesh`: the one this device is in. */
  recover(mesh: string, options?: Cancellable): Promise<void>
}

type State = z.output<typeof state>

/** A staging place under a name of its own. */
export function createStaging(store: Store, name: string, log: Logger): Staging {
  const key = `staging/${name}`
  const part = (index: number): string => `staging/${name}/${String(index)}`

  const load = async (options: Cancellable): Promise<State> => {
    const kept = await getTwice(store, key, log, options)
    if (kept === undefined) return { parts: 0, ready: 0 }
    return decode(kept, state, { maxBytes: 1_024, what: 'The record of an import' })
  }
  const save = async (next: State, options: Cancellable = {}): Promise<void> => {
    if (next.parts === 0) await deleteTwice(store, key, options)
    else await putTwice(store, key, encode(next), log, options)
  }

  const keep = async (
    records: AsyncIterable<ArchiveRecord> | Iterable<ArchiveRecord>,
    options: Cancellable,
  ): Promise<void> => {
    const { ready, parts: before } = await load(options)
    let parts = before
    let waiting: Uint8Array[] = []
    let waitingBytes = 0
    let partBytes = 0
    const flush = async (): Promise<void> => {
      if (waiting.length > 0) await store.append(part(parts - 1), waiting, options)
      waiting = []
      waitingBytes = 0
    }
    for await (const record of records) {
      if (recordRole(record) === 'begins') {
        await flush()
        parts += 1
        partBytes = 0
        // before the first byte of it, so that it is found and forgotten whatever happens
        await save({ parts, ready }, options)
      }
      const encoded = encode(record)
      partBytes += encoded.byteLength
      checkPartSize(partBytes)
      waiting.push(encoded)
      waitingBytes += encoded.byteLength
      if (waitingBytes >= WRITE_BYTES) await flush()
    }
    await flush()
  }

  const forgetFrom = async (first: number, known: State): Promise<void> => {
    for (let index = first; index < known.parts; index++) await store.dropLog(part(index))
    await save({ parts: first, ready: Math.min(known.ready, first) })
  }

  const told = async (work: Promise<void>): Promise<void> => {
    await work.catch((error: unknown) => {
      log.warn('parts of an import are not cleared away yet', { error: asMeshError(error).message })
    })
  }
  const discard = async (): Promise<void> => {
    const known = await load({})
    await forgetFrom(known.ready, known)
  }

  return {
    async add(records, options = {}) {
      try {
        await keep(records, options)
      } catch (error) {
        await told(discard())
        throw error
      }
    },
    async leaving(mesh, options = {}) {
      const known = await load(options)
      if (known.parts > known.ready) await save({ ...known, leaving: mesh }, options)
    },
    async settle(options = {}) {
      const { parts } = await load(options)
      await save({ parts, ready: parts }, options)
    },
    discard: () => told(discard()),
    async place(put, options = {}) {
      const known = await load(options)
      for (let index = 0; index < known.ready; index++) {
        const entries = wholeEntries(part(index), await store.readLog(part(index), 0, options), log)
        const records = entries.map(({ bytes: kept }) =>
          decode(kept, entry, { maxBytes: ENTRY_MAX_BYTES, what: 'A record of an import' }),
        )
        const [first] = records
        if (first !== undefined && recordRole(first) === 'begins') await put(records)
        else if (first !== undefined)
          log.error('a room or chat on its way into this device is lost: its beginning is damaged', { name, index })
        await store.dropLog(part(index))
      }
      if (known.parts > 0) await forgetFrom(0, known)
    },
    clear: () => told(load({}).then((known) => forgetFrom(0, known))),
    async recover(mesh, options = {}) {
      const known = await load(options)
      if (known.parts === known.ready) return
      if (known.leaving !== undefined && known.leaving !== mesh) {
        await save({ parts: known.parts, ready: known.parts }, options)
      } else await told(discard())
    },
  }
}
