import * as z from 'zod/mini'
import {
  FRAME_MAX_BYTES,
  LEDGER_BATCH_MAX_ENTRIES,
  LEDGER_ENTRY_MAX_BYTES,
  LEDGER_HAVE_MAX,
} from '../../../base/index.ts'
import { bytes, entryHash, list } from '../../../wire/index.ts'
import type { ProtocolShape } from '../../protocol.ts'

/** A device fetches the entries of the ledger that it lacks. */
export const LEDGER: ProtocolShape = { id: '/plexus/ledger/1.0.0', maxFrameBytes: FRAME_MAX_BYTES, maxStreams: 4 }

/** Signed entries, parents first; each is verified before anything in it is believed. */
export const entriesFrame = z.object({
  type: z.literal('entries'),
  entries: list(bytes(LEDGER_ENTRY_MAX_BYTES), LEDGER_BATCH_MAX_ENTRIES),
})

/** Says what one has: heads first, then older entries further and further apart. */
export const haveFrame = z.object({ type: z.literal('have'), hashes: list(entryHash, LEDGER_HAVE_MAX) })

/** Nothing more comes. */
export const endFrame = z.object({ type: z.literal('end') })

/** What the fetching device says: what it has, then once for each batch that it took in. */
export const fetcherFrame = z.discriminatedUnion('type', [haveFrame, z.object({ type: z.literal('next') })])

/** What the other side answers. */
export const giverFrame = z.discriminatedUnion('type', [entriesFrame, endFrame])
