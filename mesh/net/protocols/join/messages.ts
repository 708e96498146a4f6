import * as z from 'zod/mini'
import { NAME_MAX_LENGTH, NONCE_BYTES, PROOF_BYTES, ROSTER_MAX_BYTES, signedRoster } from '../../../identity/index.ts'
import { exactBytes, invitationId, text } from '../../../wire/index.ts'
import type { ProtocolShape } from '../../protocol.ts'

/** A device that is not admitted proves that it holds an invitation. */
export const JOIN: ProtocolShape = { id: '/plexus/join/1.0.0', maxFrameBytes: ROSTER_MAX_BYTES + 4096, maxStreams: 2 }

/** The joiner's only frame. */
export const prove = z.object({
  type: z.literal('prove'),
  invitation: invitationId,
  proof: exactBytes(PROOF_BYTES),
  name: text(NAME_MAX_LENGTH),
  kind: z.enum(['helper', 'browser']),
})

/** What the inviter answers: perhaps a nonce for the pictures, then the list. */
export const verdict = z.discriminatedUnion('type', [
  z.object({ type: z.literal('compare'), nonce: exactBytes(NONCE_BYTES) }),
  z.object({ type: z.literal('admitted'), roster: signedRoster }),
])
