import * as z from 'zod/mini'
import { PENDING_JOINS_MAX, STRANGER_FRAME_MAX_BYTES } from '../../../base/index.ts'
import { COMMITMENT_BYTES, CONSENT_BYTES, NONCE_BYTES, signedCertificate } from '../../../identity/index.ts'
import { exactBytes, invitationId } from '../../../wire/index.ts'
import type { ProtocolShape } from '../../protocol.ts'

/** A join that came to one device of the mesh and is compared at another: one stream for as long as it waits. */
export const COMPARE: ProtocolShape = {
  id: '/plexus/compare/2.0.0',
  maxFrameBytes: STRANGER_FRAME_MAX_BYTES,
  maxStreams: PENDING_JOINS_MAX,
}

/** Everything it takes to judge the joiner, and to admit it. */
const joiner = {
  invitation: invitationId,
  certificate: signedCertificate,
  proof: exactBytes(64),
  path: z.enum(['direct', 'relayed']),
}

/** What a caller says: a joiner it may not compare for, or one it, of the same person, has exchanged numbers with. */
export const joinerThere = z.discriminatedUnion('type', [
  z.object({ type: z.literal('waits'), ...joiner, commitment: exactBytes(COMMITMENT_BYTES) }),
  z.object({
    type: z.literal('exchanged'),
    ...joiner,
    joinerNonce: exactBytes(NONCE_BYTES),
    inviterNonce: exactBytes(NONCE_BYTES),
  }),
])

/** The called device's own number for the pictures, to `waits`. */
export const inviterNonce = z.object({ type: z.literal('compare'), nonce: exactBytes(NONCE_BYTES) })

/** And the joiner's, which it was bound to before. */
export const joinerNonce = z.object({ type: z.literal('open'), nonce: exactBytes(NONCE_BYTES) })

/** Later: the joiner agreed to come, so that it can be written down, or its person says that the pictures differ. */
export const joinersWord = z.discriminatedUnion('type', [
  z.object({ type: z.literal('consent'), consent: exactBytes(CONSENT_BYTES) }),
  z.object({ type: z.literal('differ') }),
])

/** A joiner at another device. */
export type JoinerThere = z.output<typeof joinerThere>
/** One for which the hearer has to compare. */
export type JoinerWaits = Extract<JoinerThere, { type: 'waits' }>
/** One with the numbers of its pictures. */
export type JoinerExchanged = Extract<JoinerThere, { type: 'exchanged' }>
