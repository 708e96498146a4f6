import * as z from 'zod/mini'
import { KEYS_PER_ASK_MAX } from '../../../base/index.ts'
import { bytes, entryHash, list, text } from '../../../wire/index.ts'
import type { ProtocolShape } from '../../protocol.ts'

/** Largest frame: the names of as many epochs, and the box of their keys. */
const FRAME_BYTES = 32 * 1024
/** Largest box: as many keys, and what is around them. */
const BOX_MAX_BYTES = KEYS_PER_ASK_MAX * 32 + 256

/** A device asks a holder for keys that it was given and cannot open. */
export const KEYS: ProtocolShape = { id: '/plexus/keys/1.0.0', maxFrameBytes: FRAME_BYTES, maxStreams: 2 }

/** The one question of a stream. */
export const keysAsk = z.object({
  type: z.literal('ask'),
  scope: text(128),
  epochs: list(entryHash, KEYS_PER_ASK_MAX),
})

/** The one answer: the keys it holds of those, in this order, sealed to the asking device. None is an answer too. */
export const keysBox = z.object({
  type: z.literal('box'),
  epochs: list(entryHash, KEYS_PER_ASK_MAX),
  box: bytes(BOX_MAX_BYTES),
})
