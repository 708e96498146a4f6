import * as z from 'zod/mini'
import {
  asMeshError,
  createEvents,
  SYNC_CHAINS_MAX,
  type DeviceId,
  type EventSource,
  type Logger,
  type Store,
} from '../base/index.ts'
import { decode, deviceId, encode, whole } from '../wire/index.ts'

/**
 * What other devices said is durable with them, each over a link that proved who it
 * is. Kept over restarts as far as the disk allows; what is lost is told again.
 */
export interface Acknowledgements {
  /** A device told that it holds more: the document's key. */
  readonly changes: EventSource<string>
  /** What is known of a document, read from the disk once; it stays true to what is noted later. */
  of(document: string): Promise<Holdings>
  note(document: string, device: DeviceId, rows: Iterable<readonly [chain: number, sequence: number]>): Promise<void>
}

/** Which devices hold the envelopes of one document, as they told. */
export interface Holdings {
  holders(chain: number, sequence: number): readonly DeviceId[]
}

type Known = Map<DeviceId, Map<number, number>>

/** The acknowledgements of this device's store. */
export function createAcknowledgements(ports: { readonly store: Store; readonly log: Logger }): Acknowledgements {
  const { store, log } = ports
  const changes = createEvents<string>((error) => {
    log.error('a listener of acknowledgements failed', { error })
  })
  const byDocument = new Map<string, Promise<Known>>()
  /** Documents being written, and whether there is more to write. */
  const pending = new Map<string, boolean>()
  const keyOf = (document: string): string => `sync/have/${document}`

  const load = async (document: string): Promise<Known> => {
    const stored = await store.get(keyOf(document))
    if (stored === undefined) return new Map()
    const rows = decode(stored, saved, { maxBytes: Number.MAX_SAFE_INTEGER, what: 'What devices hold' })
    return new Map(rows.map(([device, vector]) => [device, new Map(vector)]))
  }

  const knownOf = (document: string): Promise<Known> => {
    const known = byDocument.get(document) ?? load(document)
    byDocument.set(document, known)
    known.catch(() => byDocument.delete(document))
    return known
  }

  /** One write at a time; what is noted meanwhile goes with the next. */
  const save = async (document: string, known: Known): Promise<void> => {
    const isBusy = pending.has(document)
    pending.set(document, true)
    if (isBusy) return
    try {
      while (pending.get(document) === true) {
        pending.set(document, false)
        await store.put(keyOf(document), encode([...known].map(([device, rows]) => [device, [...rows]])))
      }
    } catch (error) {
      log.warn('what other devices hold could not be written down', { reason: asMeshError(error).message })
    } finally {
      pending.delete(document)
    }
  }

  return {
    changes,
    async of(document) {
      const known = await knownOf(document)
      return {
        holders(chain, sequence) {
          const devices: DeviceId[] = []
          for (const [device, rows] of known) if ((rows.get(chain) ?? 0) >= sequence) devices.push(device)
          return devices
        },
      }
    },
    async note(document, device, rows) {
      const known = await knownOf(document)
      const own = known.get(device) ?? new Map<number, number>()
      known.set(device, own)
      let isNew = false
      for (const [chain, sequence] of rows) {
        if (sequence <= (own.get(chain) ?? 0) || own.size >= SYNC_CHAINS_MAX) continue
        own.set(chain, sequence)
        isNew = true
      }
      if (!isNew) return
      changes.emit(document)
      await save(document, known)
    },
  }
}

const saved = z.array(z.tuple([deviceId, z.array(z.tuple([whole(), whole()]))]))
