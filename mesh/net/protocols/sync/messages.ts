import * as z from 'zod/mini'
import {
  FRAME_MAX_BYTES,
  SYNC_BATCH_ENVELOPES,
  SYNC_CHAINS_MAX,
  SYNC_DECLINED_MAX,
  SYNC_ENVELOPE_MAX_BYTES,
  SYNC_OFFER_MAX,
  SYNC_STREAMS_MAX,
  SYNC_WINDOW_BYTES,
} from '../../../base/index.ts'
import { bytes, exactBytes, list, text, whole } from '../../../wire/index.ts'
import type { ProtocolShape } from '../../protocol.ts'

/** One stream for what one device takes from another: its documents, as long as the link lasts. */
export const SYNC: ProtocolShape = {
  id: '/plexus/sync/1.0.0',
  maxFrameBytes: FRAME_MAX_BYTES,
  maxStreams: SYNC_STREAMS_MAX,
}

const name = z.object({ id: text(64), kind: text(32), scope: text(128) })
/** The short name of a document; of what is held of it. */
const key = exactBytes(16)
const digest = exactBytes(16)
/** Up to which sequence chains are held. */
const vector = list(z.tuple([whole(), whole()]), SYNC_CHAINS_MAX)

/** What the device that takes sends. */
export const readerFrame = z.discriminatedUnion('type', [
  /**
   * Send me what follows this vector; or only what is new, when this digest is still yours. Chains that
   * would not be taken now are left out; and those that tell ends, where it does not say that it knows them.
   */
  z.object({
    type: z.literal('want'),
    name,
    vector: z.optional(vector),
    digest: z.optional(digest),
    without: z.optional(list(whole(), SYNC_DECLINED_MAX)),
    ends: z.optional(z.boolean()),
  }),
  /** This is durable here. */
  z.object({ type: z.literal('have'), document: key, vector }),
  /** So many bytes of envelopes were taken. */
  z.object({ type: z.literal('grant'), bytes: whole(SYNC_WINDOW_BYTES * 4) }),
])

/** What the device that gives sends. */
export const sourceFrame = z.discriminatedUnion('type', [
  z.object({ type: z.literal('offers'), offers: list(z.object({ name, digest }), SYNC_OFFER_MAX) }),
  z.object({
    type: z.literal('envelopes'),
    document: key,
    envelopes: list(bytes(SYNC_ENVELOPE_MAX_BYTES), SYNC_BATCH_ENVELOPES),
  }),
  /** That is all there is of it now. */
  z.object({ type: z.literal('complete'), document: key }),
  /** Who is here: sealed, not stored. Its author is the device that sends it. */
  z.object({ type: z.literal('presence'), document: key, epoch: exactBytes(32), box: bytes(2_048) }),
])

/** See {@link readerFrame}. */
export type ReaderFrame = z.output<typeof readerFrame>
/** See {@link sourceFrame}. */
export type SourceFrame = z.output<typeof sourceFrame>
