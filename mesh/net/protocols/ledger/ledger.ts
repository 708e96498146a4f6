import type { Connection } from '@libp2p/interface'
import {
  DIAL_TIMEOUT_MS,
  LEDGER_BATCH_BYTES,
  LEDGER_BATCH_MAX_ENTRIES,
  LEDGER_GATHERED_MAX_BYTES,
  type Clock,
  type DeviceId,
  type EntryHash,
} from '../../../base/index.ts'
import { FIRST_FRAME, openStream, type Protocol } from '../../protocol.ts'
import type { FrameStream } from '../../stream.ts'
import { fetcherFrame, giverFrame, haveFrame, LEDGER } from './messages.ts'

/** The ledger as the wire needs it. */
export interface LedgerHost {
  /** What this device has, for a device that gives: at most 64 hashes. */
  have(): readonly EntryHash[]
  /** Signed entries that a device with these lacks, parents first. */
  missing(have: readonly EntryHash[]): readonly Uint8Array[]
  /** Takes in what another device gave. Bad entries are refused one by one and said in the log. */
  take(from: DeviceId, entries: readonly Uint8Array[], options: { readonly signal: AbortSignal }): Promise<void>
}

/** What each entry counts for at least while a fetch is gathered. */
const SMALLEST_ENTRY_BYTES = 512

/** Gives admitted devices the entries that they lack. */
export function ledgerProtocol(host: LedgerHost): Protocol {
  return {
    ...LEDGER,
    callers: 'read-ledger',
    handling: 'measured',
    async handle(stream, { signal }) {
      const { hashes } = await stream.read(haveFrame, FIRST_FRAME)
      for (const batch of batches(host.missing(hashes))) {
        await stream.write({ type: 'entries', entries: batch }, { signal })
        // what is not asked for is not sent: a slow device never has more than a batch in flight
        await stream.read(fetcherFrame, { signal, timeoutMs: DIAL_TIMEOUT_MS })
      }
      await stream.write({ type: 'end' }, { signal })
      stream.close()
    },
  }
}

/**
 * Fetches what the device at the other end has and this one lacks. What was taken in
 * before a cut stays, so the next try goes on from there.
 * @throws MeshError what the device told, `peer-gone`, `timeout`, `malformed`, `aborted`
 */
export async function fetchLedger(
  connection: Connection,
  host: LedgerHost,
  ports: { readonly clock: Clock },
  options: { readonly signal: AbortSignal },
): Promise<void> {
  const stream = await openStream(connection, LEDGER, ports, options)
  let gathered: Uint8Array[] = []
  // together, as far as that goes: what counts may link what is kept for its sake alone, frames apart
  const takeGathered = async (): Promise<void> => {
    if (gathered.length === 0) return
    const entries = gathered
    gathered = []
    await stream.work(() => host.take(stream.peer, entries, options), options)
  }
  try {
    await stream.write({ type: 'have', hashes: host.have() }, options)
    let sizeBytes = 0
    await readEntries(
      stream,
      async (entries) => {
        gathered.push(...entries)
        // an entry of no bytes takes room too: a giver of nothing must not be gathered without end
        sizeBytes += entries.reduce((sum, entry) => sum + Math.max(entry.byteLength, SMALLEST_ENTRY_BYTES), 0)
        if (sizeBytes > LEDGER_GATHERED_MAX_BYTES) {
          sizeBytes = 0
          await takeGathered()
        }
        await stream.write({ type: 'next' }, options)
      },
      options,
    )
    stream.close()
  } catch (error) {
    stream.abort(error)
    throw error
  } finally {
    await takeGathered()
  }
}

/** Reads batches until the end frame. */
export async function readEntries(
  stream: FrameStream,
  take: (entries: readonly Uint8Array[]) => Promise<void>,
  options: { readonly signal: AbortSignal },
): Promise<void> {
  for (;;) {
    const frame = await stream.read(giverFrame, { signal: options.signal, timeoutMs: DIAL_TIMEOUT_MS })
    if (frame.type === 'end') return
    await take(frame.entries)
  }
}

/** Entries in frames that stay below the bounds. */
export function* batches(entries: readonly Uint8Array[]): Generator<Uint8Array[]> {
  let batch: Uint8Array[] = []
  let sizeBytes = 0
  for (const entry of entries) {
    const isFull = sizeBytes + entry.byteLength > LEDGER_BATCH_BYTES || batch.length >= LEDGER_BATCH_MAX_ENTRIES
    if (batch.length > 0 && isFull) {
      yield batch
      batch = []
      sizeBytes = 0
    }
    batch.push(entry)
    sizeBytes += entry.byteLength
  }
  if (batch.length > 0) yield batch
}
