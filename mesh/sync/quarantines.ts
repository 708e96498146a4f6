import * as z from 'zod/mini'
import {
  createEvents,
  SYNC_QUARANTINES_MAX,
  type Clock,
  type DeviceId,
  type EventSource,
  type Logger,
  type Store,
} from '../base/index.ts'
import { decode, deviceId, encode, list, text, whole } from '../wire/index.ts'
import { documentKey } from './envelope.ts'
import { documentName } from './names.ts'
import type { DocumentName, Quarantine } from './document.ts'
import type { Options } from './options.ts'

const KEY = 'sync/quarantines'

/** Authors cut off, each for one document. Survives a restart; only a person lifts it. */
export interface Quarantines {
  readonly changes: EventSource<Quarantine>
  all(): readonly Quarantine[]
  has(document: string, author: DeviceId): boolean
  /** In force at once; resolves when durable. */
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
  const stored = await store.get(KEY, options)
  const known = new Map<string, Quarantine>()
  const nameOf = (document: string, author: DeviceId): string => `${document}/${author}`
  if (stored !== undefined) {
    for (const one of decode(stored, saved, { maxBytes: SAVED_MAX_BYTES, what: 'The list of quarantines' }))
      known.set(nameOf(documentKey(one.document), one.author), one)
  }
  const save = (given: Options): Promise<void> => store.put(KEY, encode([...known.values()]), given)

  return {
    changes,
    all: () => [...known.values()],
    has: (document, author) => known.has(nameOf(document, author)),
    async add(document, author, reason, given) {
      const one = { document, author, reason: reason.slice(0, REASON_MAX_LENGTH), at: clock.now() }
      known.set(nameOf(documentKey(document), author), one)
      const [oldest] = known.keys()
      if (known.size > SYNC_QUARANTINES_MAX && oldest !== undefined) known.delete(oldest)
      log.warn('an author was cut off', { author, reason })
      changes.emit(one)
      await save(given)
    },
    async lift(document, author, given) {
      if (known.delete(nameOf(documentKey(document), author))) await save(given)
    },
  }
}

const REASON_MAX_LENGTH = 400
const SAVED_MAX_BYTES = SYNC_QUARANTINES_MAX * 1_024

const saved = list(
  z.object({ document: documentName, author: deviceId, reason: text(REASON_MAX_LENGTH), at: whole() }),
  SYNC_QUARANTINES_MAX,
)
