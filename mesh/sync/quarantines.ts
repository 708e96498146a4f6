import { sha256 } from '@noble/hashes/sha2.js'
import * as z from 'zod/mini'
import {
  asMeshError,
  createEvents,
  SYNC_QUARANTINES_MAX,
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
/** Where an earlier version kept all of them as one. */
const EARLIER_KEY = 'sync/quarantines'

/** Authors cut off, each for one document. Survives a restart; only a person lifts it. */
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
  const nameOf = (document: string, author: DeviceId): string => `${document}/${author}`
  const recordOf = ({ document, author }: Pick<Quarantine, 'document' | 'author'>): string =>
    `${PREFIX}${documentKey(document)}/${toHex(sha256(new TextEncoder().encode(author)).subarray(0, 8))}`

  const put = async (one: Quarantine, given: Options): Promise<void> => {
    known.set(nameOf(documentKey(one.document), one.author), one)
    const [oldest] = known
    if (known.size > SYNC_QUARANTINES_MAX && oldest !== undefined) {
      known.delete(oldest[0])
      await store.delete(recordOf(oldest[1]), given)
    }
    await store.put(recordOf(one), encode(one), given)
  }

  const load = async (): Promise<void> => {
    const found: Quarantine[] = []
    for (const { key, value } of await store.list(PREFIX, options)) {
      try {
        found.push(decode(value, quarantine, { maxBytes: ONE_MAX_BYTES, what: 'A quarantine' }))
      } catch (error) {
        log.warn('a quarantine could not be read', { key, reason: asMeshError(error).message })
      }
    }
    found.sort((a, b) => a.at - b.at)
    for (const one of found) known.set(nameOf(documentKey(one.document), one.author), one)
    const earlier = await store.get(EARLIER_KEY, options)
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
    all: () => [...known.values()],
    has: (document, author) => known.has(nameOf(document, author)),
    async add(document, author, reason, given) {
      const one = { document, author, reason: reason.slice(0, REASON_MAX_LENGTH), at: clock.now() }
      const written = put(one, given)
      log.warn('an author was cut off', { author, reason })
      changes.emit(one)
      await written
    },
    async lift(document, author, given) {
      const name = nameOf(documentKey(document), author)
      const one = known.get(name)
      if (one === undefined) return
      known.delete(name)
      await store.delete(recordOf(one), given)
    },
  }
}

const REASON_MAX_LENGTH = 400
const ONE_MAX_BYTES = 1_024

const quarantine = z.object({ document: documentName, author: deviceId, reason: text(REASON_MAX_LENGTH), at: whole() })
