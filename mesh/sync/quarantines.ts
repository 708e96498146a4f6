import { sha256 } from '@noble/hashes/sha2.js'
import * as z from 'zod/mini'
import {
  asMeshError,
  createEvents,
  getWhole,
  SYNC_QUARANTINES_MAX,
  wholeRecords,
  type Clock,
  type DeviceId,
  type EventSource,
  type Logger,
  type Store,
} from '../base/index.ts'
import { decode, deviceId, encode, list, text, toHex, whole } from '../wire/index.ts'
import { documentKey } from './envelope.ts'
import { documentName } from './names.ts'
import type { DocumentName, Quarantine } from './document.ts'
import type { Options } from './options.ts'

const PREFIX = 'sync/quarantine/'
/** Of authors who are cut off for every document: by the author alone. */
const EVERYWHERE = `${PREFIX}everywhere/`
/** Where an earlier version kept all of them as one. */
const EARLIER_KEY = 'sync/quarantines'

/**
 * Authors of whom nothing more is taken, each for one document. Survives a restart; only a person lifts it,
 * and it counts only while they may write. Who
 * was cut off for so many that there is no place left is cut off for every document: nobody
 * gets away with one thing by doing it again and again.
 */
export interface Quarantines {
  readonly changes: EventSource<Quarantine>
  all(): readonly Quarantine[]
  has(document: string, author: DeviceId): boolean
  /** In force at once; resolves when durable: one small record, however many there are. */
  add(document: DocumentName, author: DeviceId, reason: string, options: Options): Promise<void>
  lift(document: DocumentName, author: DeviceId, options: Options): Promise<void>
}

/** The quarantines of this device's store. */
export async function loadQuarantines(
  ports: { readonly store: Store; readonly clock: Clock; readonly log: Logger },
  options: Options,
): Promise<Quarantines> {
  const { store, clock, log } = ports
  const changes = createEvents<Quarantine>((error) => {
    log.error('a listener of quarantines failed', { error })
  })
  const known = new Map<string, Quarantine>()
  const everywhere = new Map<DeviceId, Quarantine>()
  const nameOf = (document: string, author: DeviceId): string => `${document}/${author}`
  const recordOf = ({ document, author }: Pick<Quarantine, 'document' | 'author'>): string =>
    `${PREFIX}${documentKey(document)}/${markOf(author)}`

  const put = async (one: Quarantine, given: Options): Promise<void> => {
    known.set(nameOf(documentKey(one.document), one.author), one)
    await store.put(recordOf(one), encode(one), given)
    if (known.size > SYNC_QUARANTINES_MAX) await widen(given)
  }

  /** Whoever has most of them is cut off everywhere, by one record, before the many are let go. */
  const widen = async (given: Options): Promise<void> => {
    const counts = new Map<DeviceId, number>()
    for (const { author } of known.values()) counts.set(author, (counts.get(author) ?? 0) + 1)
    const [most] = [...counts].reduce((a, b) => (b[1] > a[1] ? b : a), ['' as DeviceId, 0])
    const theirs = [...known.values()].filter(({ author }) => author === most)
    const [first] = theirs
    if (first === undefined) return
    everywhere.set(most, first)
    await store.put(EVERYWHERE + markOf(most), encode(first), given)
    log.warn('an author was cut off for every document', { author: most, documents: theirs.length })
    for (const one of theirs) {
      known.delete(nameOf(documentKey(one.document), one.author))
      await store.delete(recordOf(one), given)
    }
  }

  const load = async (): Promise<void> => {
    const found: Quarantine[] = []
    for (const { key, value } of wholeRecords(await store.list(PREFIX, options), log)) {
      try {
        const one = decode(value, quarantine, { maxBytes: ONE_MAX_BYTES, what: 'A quarantine' })
        if (key.startsWith(EVERYWHERE)) everywhere.set(one.author, one)
        else found.push(one)
      } catch (error) {
        log.warn('a quarantine could not be read', { key, reason: asMeshError(error).message })
      }
    }
    found.sort((a, b) => a.at - b.at)
    for (const one of found) known.set(nameOf(documentKey(one.document), one.author), one)
    const earlier = await getWhole(store, EARLIER_KEY, log, options)
    if (earlier === undefined) return
    for (const one of decode(earlier, list(quarantine, SYNC_QUARANTINES_MAX), {
      maxBytes: SYNC_QUARANTINES_MAX * ONE_MAX_BYTES,
      what: 'The list of quarantines',
    }))
      await put(one, options)
    await store.delete(EARLIER_KEY, options)
  }
  await load()

  return {
    changes,
    all: () => [...known.values(), ...everywhere.values()],
    has: (document, author) => everywhere.has(author) || known.has(nameOf(document, author)),
    async add(document, author, reason, given) {
      const one = { document, author, reason: reason.slice(0, REASON_MAX_LENGTH), at: clock.now() }
      const written = put(one, given)
      log.warn('an author was cut off', { author, reason })
      changes.emit(one)
      await written
    },
    async lift(document, author, given) {
      if (everywhere.delete(author)) await store.delete(EVERYWHERE + markOf(author), given)
      const name = nameOf(documentKey(document), author)
      const one = known.get(name)
      if (one === undefined) return
      known.delete(name)
      await store.delete(recordOf(one), given)
    },
  }
}

/** A name of an author for keys. */
function markOf(author: DeviceId): string {
  return toHex(sha256(new TextEncoder().encode(author)).subarray(0, 8))
}

const REASON_MAX_LENGTH = 400
const ONE_MAX_BYTES = 1_024

const quarantine = z.object({ document: documentName, author: deviceId, reason: text(REASON_MAX_LENGTH), at: whole() })
