import * as z from 'zod/mini'
import {
  asMeshError,
  SYNC_LATE_ALONE_FACTOR,
  SYNC_LATE_BYTES,
  SYNC_LATE_ENVELOPES,
  SYNC_LATE_MS,
  type DeviceId,
  type ScopeId,
} from '../base/index.ts'
import { decode, deviceId, encode, whole } from '../wire/index.ts'
import type { Absences } from './absences.ts'
import type { Options } from './options.ts'
import type { SyncPorts } from './ports.ts'

/**
 * What a document still takes of authors who may not write any more and whose chains nobody told the end
 * of: what they wrote before, and only a device without rights kept. Nobody can tell it from what they
 * write since, so it is bounded, for each author: so much, and only for a while after this device heard
 * that they may not write.
 */
export interface LateComings {
  /** True when another envelope of the author may come. @throws MeshError of the store */
  isOpenTo(author: DeviceId, options: Options): Promise<boolean>
  /** What {@link LateComings.isOpenTo} would say by what it knows already. */
  mayBeOpenTo(author: DeviceId): boolean
  /** Counts an envelope that is about to be kept, after {@link LateComings.isOpenTo}. @returns what takes that back */
  count(author: DeviceId, bytes: number): () => void
  /** Writes down what was counted. To be done before it is kept. @throws MeshError of the store */
  save(options: Options): Promise<void>
}

interface Taken {
  envelopes: number
  bytes: number
  /** Nothing of the author was here when the first of these came. */
  readonly isNew: boolean
}

const saved = z.array(z.object({ author: deviceId, envelopes: whole(), bytes: whole(), isNew: z.boolean() }))

/** What came late of one document. */
export function createLateComings(
  document: { readonly key: string; readonly scope: ScopeId; readonly hasAny: (author: DeviceId) => boolean },
  { store, log, writers, absences }: Pick<SyncPorts, 'store' | 'log' | 'writers'> & { readonly absences: Absences },
): LateComings {
  let byAuthor: Map<DeviceId, Taken> | undefined
  let isChanged = false

  /** Read when something comes late, which is seldom. */
  const load = async (options: Options): Promise<Map<DeviceId, Taken>> => {
    if (byAuthor !== undefined) return byAuthor
    const stored = await store.get(recordOf(document.key), options)
    const loaded = new Map<DeviceId, Taken>()
    if (stored !== undefined) {
      try {
        const rows = decode(stored, saved, { maxBytes: Number.MAX_SAFE_INTEGER, what: 'What came late' })
        for (const { author, ...taken } of rows) loaded.set(author, taken)
      } catch (error) {
        log.warn('what came late of a document could not be read; it is counted anew', {
          reason: asMeshError(error).message,
        })
      }
    }
    byAuthor ??= loaded
    return byAuthor
  }

  const takenOf = (author: DeviceId): Taken =>
    byAuthor?.get(author) ?? { envelopes: 0, bytes: 0, isNew: !document.hasAny(author) }

  const mayBeOpenTo = (author: DeviceId): boolean => {
    const end = writers.endOf?.(author, document.scope)
    if (end !== undefined && absences.elapsedMs(end.at) >= SYNC_LATE_MS) return false
    const { envelopes, bytes, isNew } = takenOf(author)
    const factor = isNew && end?.isAlone === true ? SYNC_LATE_ALONE_FACTOR : 1
    return envelopes < SYNC_LATE_ENVELOPES * factor && bytes < SYNC_LATE_BYTES * factor
  }

  return {
    mayBeOpenTo,
    async isOpenTo(author, options) {
      if (!mayBeOpenTo(author)) return false
      await load(options)
      return mayBeOpenTo(author)
    },
    count(author, bytes) {
      const taken = takenOf(author)
      byAuthor?.set(author, taken)
      taken.envelopes += 1
      taken.bytes += bytes
      isChanged = true
      return () => {
        taken.envelopes -= 1
        taken.bytes -= bytes
      }
    },
    async save(options) {
      if (!isChanged) return
      const rows = [...(byAuthor ?? [])].map(([author, taken]) => ({ author, ...taken }))
      await store.put(recordOf(document.key), encode(rows), options)
      isChanged = false
    },
  }
}

/** Forgets what came late of a document that is gone. @throws MeshError of the store */
export async function dropLateComings(
  { store }: Pick<SyncPorts, 'store'>,
  document: string,
  options: Options,
): Promise<void> {
  await store.delete(recordOf(document), options)
}

function recordOf(document: string): string {
  return `sync/late/${document}`
}
