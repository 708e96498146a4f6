import * as z from 'zod/mini'
import {
  asId,
  asMeshError,
  getWhole,
  SYNC_LATE_ALONE_FACTOR,
  SYNC_LATE_BYTES,
  SYNC_LATE_DEVICES_OF_PERSON,
  SYNC_LATE_ENVELOPES,
  SYNC_LATE_MS,
  type DeviceId,
  type ScopeId,
} from '../base/index.ts'
import { decode, deviceId, encode, text, whole } from '../wire/index.ts'
import type { Absences } from './absences.ts'
import type { Options } from './options.ts'
import type { SyncPorts } from './ports.ts'

/**
 * What a document still takes of authors who may not write any more and whose chains nobody told the end
 * of: what they wrote before, and only a device without rights kept. Nobody can tell it from what they
 * write since, so it is bounded: so much of each author from each device that brings it, a few times that
 * from all of a person, and only for a while after this device heard that they may not write. Who brings
 * what was made since uses up nobody else's share: a helper that a thief had write it not that of another
 * one of the same person, which has what was written before.
 */
export interface LateComings {
  /** True when another envelope of the author may come from there. @throws MeshError of the store */
  isOpenTo(author: DeviceId, via: DeviceId, options: Options): Promise<boolean>
  /** What {@link LateComings.isOpenTo} would say by what it knows already. */
  mayBeOpenTo(author: DeviceId, via: DeviceId): boolean
  /** Counts an envelope that is about to be kept, after {@link LateComings.isOpenTo}. @returns what takes that back */
  count(author: DeviceId, via: DeviceId, bytes: number): () => void
  /** Writes down what was counted. To be done before it is kept. @throws MeshError of the store */
  save(options: Options): Promise<void>
}

/** What came of one author by one device. */
interface Taken {
  readonly author: DeviceId
  readonly by: string
  envelopes: number
  bytes: number
  /** Nothing of the author was here when the first of these came. */
  readonly isNew: boolean
}

const saved = z.array(
  z.object({ author: deviceId, by: text(160), envelopes: whole(), bytes: whole(), isNew: z.boolean() }),
)

/** What came late of one document. */
export function createLateComings(
  document: { readonly key: string; readonly scope: ScopeId; readonly hasAny: (author: DeviceId) => boolean },
  { store, log, writers, absences }: Pick<SyncPorts, 'store' | 'log' | 'writers'> & { readonly absences: Absences },
): LateComings {
  const byAuthor = new Map<DeviceId, Map<string, Taken>>()
  // an earlier version counted by person
  const personOf = (by: string): string => writers.personOf?.(asId<DeviceId>(by)) ?? by
  let isLoaded = false
  let isChanged = false

  const put = (taken: Taken): void => {
    const ofAuthor = byAuthor.get(taken.author) ?? new Map<string, Taken>()
    byAuthor.set(taken.author, ofAuthor.set(taken.by, taken))
  }

  /** Read when something comes late, which is seldom. */
  const load = async (options: Options): Promise<void> => {
    if (isLoaded) return
    const stored = await getWhole(store, recordOf(document.key), log, options)
    if (stored !== undefined) {
      try {
        decode(stored, saved, { maxBytes: Number.MAX_SAFE_INTEGER, what: 'What came late' }).forEach(put)
      } catch (error) {
        log.warn('what came late of a document could not be read; it is counted anew', {
          reason: asMeshError(error).message,
        })
      }
    }
    isLoaded = true
  }

  const takenOf = (author: DeviceId, via: DeviceId): Taken => {
    const ofAuthor = byAuthor.get(author)
    const [first] = ofAuthor?.values() ?? []
    const isNew = first?.isNew ?? !document.hasAny(author)
    return ofAuthor?.get(via) ?? { author, by: via, envelopes: 0, bytes: 0, isNew }
  }

  /** What came of an author by all devices of a person. */
  const takenBy = (person: string, author: DeviceId): Pick<Taken, 'envelopes' | 'bytes'> => {
    const sum = { envelopes: 0, bytes: 0 }
    for (const { by, envelopes, bytes } of byAuthor.get(author)?.values() ?? []) {
      if (personOf(by) !== person) continue
      sum.envelopes += envelopes
      sum.bytes += bytes
    }
    return sum
  }

  const mayBeOpenTo = (author: DeviceId, via: DeviceId): boolean => {
    const end = writers.endOf?.(author, document.scope)
    if (end !== undefined && absences.elapsedMs(end.at) >= SYNC_LATE_MS) return false
    const taken = takenOf(author, via)
    const factor = taken.isNew && end?.isAlone === true ? SYNC_LATE_ALONE_FACTOR : 1
    return isWithin(taken, factor) && isWithin(takenBy(personOf(via), author), factor * SYNC_LATE_DEVICES_OF_PERSON)
  }

  return {
    mayBeOpenTo,
    async isOpenTo(author, via, options) {
      if (!mayBeOpenTo(author, via)) return false
      await load(options)
      return mayBeOpenTo(author, via)
    },
    count(author, via, bytes) {
      const taken = takenOf(author, via)
      put(taken)
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
      const rows = [...byAuthor.values()].flatMap((ofAuthor) => [...ofAuthor.values()])
      await store.put(recordOf(document.key), encode(rows), options)
      isChanged = false
    },
  }
}

function isWithin({ envelopes, bytes }: Pick<Taken, 'envelopes' | 'bytes'>, factor: number): boolean {
  return envelopes < SYNC_LATE_ENVELOPES * factor && bytes < SYNC_LATE_BYTES * factor
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
