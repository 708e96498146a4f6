import { sha256 } from '@noble/hashes/sha2.js'
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
import { decode, deviceId, encode, text, toHex, whole } from '../wire/index.ts'
import type { Absences } from './absences.ts'
import type { Envelope } from './envelope.ts'
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
  count(envelope: LateEnvelope, via: DeviceId): () => void
  /** Writes down what was counted. To be done before it is kept. @throws MeshError of the store */
  save(options: Options): Promise<void>
  /** What was counted is kept now. */
  settle(): void
}

type LateEnvelope = Pick<Envelope, 'chain' | 'bytes'> & { readonly head: Pick<Envelope['head'], 'author' | 'sequence'> }

/** What came of one author by one device. */
interface Taken {
  readonly by: string
  envelopes: number
  bytes: number
  /** Nothing of the author was here when the first of these came. */
  readonly isNew: boolean
}

/** An envelope that was counted, and is kept only if the log has it: the write of the one may fail after that of the other. */
interface Pending {
  readonly author: DeviceId
  readonly by: string
  readonly bytes: number
  readonly isNew: boolean
  readonly chain: number
  readonly sequence: number
}

const takenFields = { by: text(160), envelopes: whole(), bytes: whole(), isNew: z.boolean() }
/** What came of one author: a record each, so that a thousand authors do not cost a thousand rows each time. */
const savedOfAuthor = z.object({
  author: deviceId,
  taken: z.array(z.object(takenFields)),
  pending: z.array(z.object({ by: text(160), bytes: whole(), isNew: z.boolean(), chain: whole(), sequence: whole() })),
})
/** All of a document, as an earlier version wrote it. */
const savedEarlier = z.array(z.object({ author: deviceId, ...takenFields }))

interface LateDocument {
  readonly key: string
  readonly scope: ScopeId
  readonly hasAny: (author: DeviceId) => boolean
  /** Up to which sequence a chain is held. */
  readonly heldOf: (chain: number) => number
}

/** What came late of one document. */
export function createLateComings(
  document: LateDocument,
  { store, log, writers, absences }: Pick<SyncPorts, 'store' | 'log' | 'writers'> & { readonly absences: Absences },
): LateComings {
  const byAuthor = new Map<DeviceId, Map<string, Taken>>()
  const pending = new Set<Pending>()
  const loaded = new Set<DeviceId>()
  const changed = new Set<DeviceId>()
  let earlier: z.output<typeof savedEarlier> | undefined
  // an earlier version counted by person
  const personOf = (by: string): string => writers.personOf?.(asId<DeviceId>(by)) ?? by

  const add = (author: DeviceId, { by, envelopes, bytes, isNew }: Taken): Taken => {
    const ofAuthor = byAuthor.get(author) ?? new Map<string, Taken>()
    byAuthor.set(author, ofAuthor)
    const taken = ofAuthor.get(by) ?? { by, envelopes: 0, bytes: 0, isNew }
    ofAuthor.set(by, taken)
    taken.envelopes += envelopes
    taken.bytes += bytes
    return taken
  }

  const read = async <Saved>(
    key: string,
    schema: z.ZodMiniType<Saved>,
    options: Options,
  ): Promise<Saved | undefined> => {
    const stored = await getWhole(store, key, log, options)
    if (stored === undefined) return undefined
    try {
      return decode(stored, schema, { maxBytes: Number.MAX_SAFE_INTEGER, what: 'What came late' })
    } catch (error) {
      log.warn('what came late of a document could not be read; it is counted anew', {
        reason: asMeshError(error).message,
      })
      return undefined
    }
  }

  /** Read when something of that author comes late, which is seldom. */
  const load = async (author: DeviceId, options: Options): Promise<void> => {
    if (loaded.has(author)) return
    const found = await read(recordOf(document.key, author), savedOfAuthor, options)
    if (found === undefined) earlier ??= (await read(earlierRecordOf(document.key), savedEarlier, options)) ?? []
    const taken = found?.taken ?? (earlier ?? []).filter((one) => one.author === author)
    const kept = (found?.pending ?? []).filter(({ chain, sequence }) => sequence <= document.heldOf(chain))
    loaded.add(author)
    for (const one of taken) add(author, one)
    for (const one of kept) add(author, { ...one, envelopes: 1 })
  }

  const takenOf = (author: DeviceId, via: DeviceId): Taken => {
    const ofAuthor = byAuthor.get(author)
    const [first] = ofAuthor?.values() ?? []
    const isNew = first?.isNew ?? !document.hasAny(author)
    return ofAuthor?.get(via) ?? { by: via, envelopes: 0, bytes: 0, isNew }
  }

  /** What is surely kept, and what is only if the log has it. */
  const rowsOf = (author: DeviceId): z.output<typeof savedOfAuthor> => {
    const unsure = [...pending].filter((one) => one.author === author)
    const sure = new Map([...(byAuthor.get(author) ?? [])].map(([by, taken]) => [by, { ...taken }]))
    for (const { by, bytes } of unsure) {
      const taken = sure.get(by)
      if (taken === undefined) continue
      taken.envelopes -= 1
      taken.bytes -= bytes
    }
    return {
      author,
      taken: [...sure.values()].filter(({ envelopes }) => envelopes > 0),
      pending: unsure.map(({ author: _author, ...rest }) => rest),
    }
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
      await load(author, options)
      return mayBeOpenTo(author, via)
    },
    count({ head: { author, sequence }, chain, bytes: { byteLength: bytes } }, via) {
      const { isNew } = takenOf(author, via)
      const taken = add(author, { by: via, envelopes: 1, bytes, isNew })
      const one = { author, by: via, bytes, isNew, chain, sequence }
      pending.add(one)
      changed.add(author)
      return () => {
        pending.delete(one)
        changed.add(author)
        taken.envelopes -= 1
        taken.bytes -= bytes
        if (taken.envelopes === 0) byAuthor.get(author)?.delete(via)
      }
    },
    async save(options) {
      for (const author of changed) {
        await store.put(recordOf(document.key, author), encode(rowsOf(author)), options)
        changed.delete(author)
      }
    },
    settle() {
      pending.clear()
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
  for (const { key } of await store.list(`${earlierRecordOf(document)}/`, options)) await store.delete(key, options)
  await store.delete(earlierRecordOf(document), options)
}

function earlierRecordOf(document: string): string {
  return `sync/late/${document}`
}

function recordOf(document: string, author: DeviceId): string {
  return `${earlierRecordOf(document)}/${toHex(sha256(new TextEncoder().encode(author)).subarray(0, 8))}`
}
