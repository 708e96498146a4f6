import * as z from 'zod/mini'
import { FRAME_MAX_BYTES, LEDGER_ENTRY_MAX_BYTES, LEDGER_HEADS_MAX } from '../../../base/index.ts'
import { COMMITMENT_BYTES, CONSENT_BYTES, NONCE_BYTES, signedCertificate } from '../../../identity/index.ts'
import { bytes, exactBytes, invitationId, list, personId } from '../../../wire/index.ts'
import type { ProtocolShape } from '../../protocol.ts'
import { endFrame, entriesFrame } from '../ledger/messages.ts'

/** A device that is not admitted proves that it holds an invitation. */
export const JOIN: ProtocolShape = { id: '/plexus/join/4.0.0', maxFrameBytes: FRAME_MAX_BYTES, maxStreams: 2 }

/** The joiner's first frame: the proof of an invitation, */
const proveFrame = z.object({
  type: z.literal('prove'),
  invitation: invitationId,
  /** Who it is and what is sealed to, signed by itself. */
  certificate: signedCertificate,
  /** Signature of the invitation's key over mesh and certificate. */
  proof: exactBytes(64),
  /** What binds the joiner to its number for the pictures before it hears the other one. */
  commitment: exactBytes(COMMITMENT_BYTES),
  /** Pictures are compared, also where the inviter confirmed in advance: the joiner has something to lose. */
  pictures: z.boolean(),
})

/** or, of a device that version 0.1 had on the list of the called one, only who it is. */
const returnFrame = z.object({ type: z.literal('return'), certificate: signedCertificate })

/** or, of one that shows words, the public key made of them and the proof that it knows them. */
const knockFrame = z.object({
  type: z.literal('knock'),
  certificate: signedCertificate,
  key: exactBytes(32),
  proof: exactBytes(64),
})

/** or, of one that comes back by recovery words, the public key made of them. */
const recoverFrame = z.object({ type: z.literal('recover'), certificate: signedCertificate, key: exactBytes(32) })

/** What a joiner may say. */
export const prove = z.discriminatedUnion('type', [proveFrame, returnFrame, knockFrame, recoverFrame])

/** Then, of one that comes back and knows the mesh now, that it holds that key, and agrees to come by it. */
export const recoveryProven = z.object({
  type: z.literal('proof'),
  proof: exactBytes(64),
  consent: exactBytes(CONSENT_BYTES),
})

/** And where the called device may admit nobody: the entry by which it brings itself back. */
export const recoveryWritten = z.object({ type: z.literal('written'), entry: bytes(LEDGER_ENTRY_MAX_BYTES) })

/** The joiner's number, once it has heard the one of the inviter's device. */
export const openedNonce = z.object({ type: z.literal('open'), nonce: exactBytes(NONCE_BYTES) })

/** The joiner's signature that it comes, as just what its person was shown: nothing is written down before it. */
export const agreed = z.object({ type: z.literal('consent'), consent: exactBytes(CONSENT_BYTES) })

/** Of one that was shown pictures: that, once its person agreed, or that they differ: then the invitation is over. */
export const joinersWord = z.discriminatedUnion('type', [agreed, z.object({ type: z.literal('differ') })])

/** What the admitting device answers: perhaps a number for the pictures or the mesh, then the whole ledger, then the end. */
export const verdict = z.discriminatedUnion('type', [
  // a knock was heard, or nobody is there yet who compares: from now on people take their time
  z.object({ type: z.literal('waiting') }),
  z.object({ type: z.literal('compare'), nonce: exactBytes(NONCE_BYTES) }),
  // what the joiner's signature is bound to, where it does not know it yet: recovery words, a knock, a list of 0.1
  z.object({ type: z.literal('mesh'), mesh: exactBytes(32) }),
  // this device may not write it down itself: what to link in an entry of one's own
  z.object({ type: z.literal('write'), person: personId, heads: list(exactBytes(32), LEDGER_HEADS_MAX) }),
  entriesFrame,
  endFrame,
])
