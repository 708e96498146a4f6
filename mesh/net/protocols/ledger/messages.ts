import * as z from 'zod/mini'
import { FRAME_MAX_BYTES, LEDGER_BATCH_MAX_ENTRIES, LEDGER_HAVE_MAX } from '../../../base/index.ts'
import { LEDGER_ENTRY_MAX_BYTES } from '../../../identity/index.ts'
import { bytes, exactBytes, list } from '../../../wire/index.ts'
import type { ProtocolShape } from '../../protocol.ts'

/** A device fetches the entries of the ledger that it lacks. */
export const LEDGER: ProtocolShape = { id: '/plexus/ledger/1.0.0', maxFrameBytes: FRAME_MAX_BYTES, maxStreams: 4 }

/** Name of an entry: its SHA-256. */
export const entryHash = exactBytes(32)

/** Signed entries as they rest and travel; each is verified before anything in it is believed. */
export const entries = z.object({
  type: z.literal('entries'),
  entries: list(bytes(LEDGER_ENTRY_MAX_BYTES), LEDGER_BATCH_MAX_ENTRIES),
})

/** What the fetching device says: first what it has, then once for each batch that it took in. */
export const fetcherFrame = z.discriminatedUnion('type', [
  z.object({ type: z.literal('have'), mesh: entryHash, hashes: list(entryHash, LEDGER_HAVE_MAX) }),
  z.object({ type: z.literal('next') }),
])

/** What the other side answers: batches in an order in which parents come first, then the end. */
export const giverFrame = z.discriminatedUnion('type', [entries, z.object({ type: z.literal('end') })])
