import * as z from 'zod/mini'
import { exactBytes } from '../../../wire/index.ts'
import type { ProtocolShape } from '../../protocol.ts'
import { knock } from '../control/messages.ts'

/** A device at which words were typed asks another whether the device that shows them knocks there. */
export const KNOCKS: ProtocolShape = { id: '/plexus/knocks/1.0.0', maxFrameBytes: 16 * 1024, maxStreams: 4 }

/** The public key made of the words: who does not know them learns nothing from it. */
export const findFrame = z.object({ type: z.literal('find'), key: exactBytes(32) })

/** The knock with that key, or none. */
export const foundFrame = z.discriminatedUnion('type', [
  z.object({ type: z.literal('knock'), knock }),
  z.object({ type: z.literal('none') }),
])
