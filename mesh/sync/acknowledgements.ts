import * as z from 'zod/mini'
import {
  asMeshError,
  createEvents,
  getWhole,
  SYNC_HAVE_PAUSE_MS,
  SYNC_HAVE_REWRITE_BYTES,
  wholeEntries,
  type Clock,
  type DeviceId,
  type EventSource,
  type Logger,
  type Store,
} from '../base/index.ts'
import { decode, deviceId, encode, whole } from '../wire/index.ts'
import type { Replica } from './replica.ts'

/** Up to which sequence of a chain something is held. */
export type HeldRow = readonly [chain: number, sequence: number]

/**
 * What other devices said is durable with them, each over a link that proved who it
 * is. Noted only of chains that are held here, and no further than here, so that what
 * anybody says is bounded by what is there. Kept over restarts as far as the disk
 * allows; what is lost is told again. What is written is what changed, gathered for a
 * moment, and now and then all of a document anew.
 */
export interface Acknowledgements {
  /** A device told that it holds more: the document's key. */
  readonly changes: EventSource<string>
  /** What is known of a document, read from the disk once; it stays true to what is noted later. */
  of(document: Replica): Promise<Holdings>
  /** Notes what a device said. @returns what of it is beyond what is held here */
  note(document: Replica, device: DeviceId, rows: Iterable<HeldRow>): Promise<readonly HeldRow[]>
  /** Devices that may keep a document no more are forgotten in what is in memory. */
  rightsChanged(): void
  /** Writes down what waits. */
  stop(): Promise<void>
}

/** Which devices hold the envelopes of one document, as they told. */
export interface Holdings {
  holders(chain: number, sequence: number): readonly DeviceId[]
}

/** What is known of one document. */
interface Known {
  readonly document: Replica
  readonly devices: Map<DeviceId, Map<number, number>>
  /** Not written down yet. */
  changed: Map<DeviceId, Map<number, number>>
  /** In the log behind the record. */
  loggedBytes: number
  cancel: (() => void) | undefined
  writing: Promise<void>
}

interface AcknowledgementPorts {
  readonly store: Store
  readonly clock: Clock
  readonly log: Logger
  mayKeep(device: DeviceId, document: Replica): boolean
}

/** The acknowledgements of this device's store. */
export function createAcknowledgements({ store, clock, log, mayKeep }: AcknowledgementPorts): Acknowledgements {
  const changes = createEvents<string>((error) => {
    log.error('a listener of acknowledgements failed', { error })
  })
  const byDocument = new Map<string, Promise<Known>>()
  let isStopped = false

  /** What counts of a saved row: chains that are here, as far as they are here, of devices that belong. */
  const takeIn = ({ document, devices }: Known, [device, rows]: SavedRow): void => {
    if (!mayKeep(device, document)) return
    const own = devices.get(device) ?? new Map<number, number>()
    for (const [chain, sequence] of rows) {
      const held = Math.min(sequence, document.heldOf(chain))
      if (held > (own.get(chain) ?? 0)) own.set(chain, held)
    }
    if (own.size > 0) devices.set(device, own)
  }

  const load = async (document: Replica): Promise<Known> => {
    const known: Known = {
      document,
      devices: new Map(),
      changed: new Map(),
      loggedBytes: 0,
      cancel: undefined,
      writing: Promise.resolve(),
    }
    const stored = await getWhole(store, recordOf(document.key), log)
    if (stored !== undefined)
      for (const row of decode(stored, savedRows, { ...LIMITS, what: 'What devices hold' })) takeIn(known, row)
    for (const { bytes } of wholeEntries(logOf(document.key), await store.readLog(logOf(document.key), 0), log)) {
      known.loggedBytes += bytes.byteLength
      for (const row of readLogged(bytes)) takeIn(known, row)
    }
    // an earlier version kept whatever anybody said
    if ((stored?.byteLength ?? 0) > SYNC_HAVE_REWRITE_BYTES && bytesOf(known) < (stored?.byteLength ?? 0) / 2)
      await rewrite(known)
    return known
  }

  const knownOf = (document: Replica): Promise<Known> => {
    const known = byDocument.get(document.key) ?? load(document)
    byDocument.set(document.key, known)
    known.catch(() => byDocument.delete(document.key))
    return known
  }

  const rewrite = async (known: Known): Promise<void> => {
    const { key } = known.document
    known.changed = new Map()
    // both say the same until the log is gone: what is held only grows
    await store.put(recordOf(key), encode(rowsOf(known.devices)))
    await store.dropLog(logOf(key))
    known.loggedBytes = 0
  }

  const write = async (known: Known): Promise<void> => {
    if (known.changed.size === 0) return
    const rows = encode(rowsOf(known.changed))
    known.changed = new Map()
    try {
      await store.append(logOf(known.document.key), [rows])
      known.loggedBytes += rows.byteLength
      if (known.loggedBytes > Math.max(SYNC_HAVE_REWRITE_BYTES, bytesOf(known) * 2)) await rewrite(known)
    } catch (error) {
      log.warn('what other devices hold could not be written down', { reason: asMeshError(error).message })
    }
  }

  const flush = (known: Known): Promise<void> => {
    known.cancel?.()
    known.cancel = undefined
    known.writing = known.writing.then(() => write(known))
    return known.writing
  }

  return {
    changes,
    async of(document) {
      const known = await knownOf(document)
      return {
        holders(chain, sequence) {
          const devices: DeviceId[] = []
          for (const [device, rows] of known.devices) if ((rows.get(chain) ?? 0) >= sequence) devices.push(device)
          return devices
        },
      }
    },
    async note(document, device, rows) {
      const known = await knownOf(document)
      const own = known.devices.get(device) ?? new Map<number, number>()
      const changed = known.changed.get(device) ?? new Map<number, number>()
      const before = changed.size
      const beyond: HeldRow[] = []
      let isNew = false
      for (const row of rows) {
        const [chain, sequence] = row
        const held = Math.min(sequence, document.heldOf(chain))
        if (held < sequence) beyond.push(row)
        if (held <= (own.get(chain) ?? 0)) continue
        own.set(chain, held)
        changed.set(chain, held)
        isNew = true
      }
      if (!isNew) return beyond
      known.devices.set(device, own)
      if (before === 0) known.changed.set(device, changed)
      if (!isStopped) known.cancel ??= clock.schedule(SYNC_HAVE_PAUSE_MS, () => void flush(known))
      changes.emit(document.key)
      return beyond
    },
    rightsChanged() {
      for (const loading of byDocument.values()) {
        void loading.then(
          ({ devices, changed, document }) => {
            for (const device of devices.keys()) {
              if (mayKeep(device, document)) continue
              devices.delete(device)
              changed.delete(device)
            }
          },
          () => undefined,
        )
      }
    },
    async stop() {
      isStopped = true
      for (const loading of byDocument.values()) {
        const known = await loading.catch(() => undefined)
        if (known !== undefined) await flush(known)
      }
    },
  }
}

/** Forgets what devices told of a document that is gone. @throws MeshError of the store */
export async function dropAcknowledgements(store: Store, document: string): Promise<void> {
  await store.delete(recordOf(document))
  await store.dropLog(logOf(document))
}

function recordOf(document: string): string {
  return `sync/have/${document}`
}

function logOf(document: string): string {
  return `sync/have/${document}/log`
}

type SavedRow = readonly [device: DeviceId, rows: readonly HeldRow[]]

const LIMITS = { maxBytes: Number.MAX_SAFE_INTEGER }
const savedRows = z.array(z.tuple([deviceId, z.array(z.tuple([whole(), whole()]))]))

function readLogged(bytes: Uint8Array): SavedRow[] {
  try {
    return decode(bytes, savedRows, { ...LIMITS, what: 'What a device holds' })
  } catch {
    // a torn write; it is told again
    return []
  }
}

function rowsOf(devices: Known['devices']): SavedRow[] {
  return [...devices].map(([device, rows]) => [device, [...rows]])
}

/** About what a record of it takes. */
function bytesOf({ devices }: Known): number {
  let bytes = 0
  for (const rows of devices.values()) bytes += DEVICE_BYTES + rows.size * ROW_BYTES
  return bytes
}

/** Of a device's name, and of a chain with its sequence. */
const DEVICE_BYTES = 64
const ROW_BYTES = 14
