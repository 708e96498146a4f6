import * as z from 'zod/mini'
import { MeshError, type DeviceId, type MeshId } from '../../base/index.ts'
import { deviceId, encode, exactBytes, fromHex, text } from '../../wire/index.ts'
import type { DeviceKey } from '../device-key.ts'
import { cleanName, NAME_MAX_LENGTH } from '../names.ts'
import { ROLES } from '../roles.ts'
import { certificateHash, type SignedCertificate } from './certificate.ts'
import { verifySignature } from './signature.ts'

/** Bytes of a device's signature that it wants to be let in. */
export const CONSENT_BYTES = 64

const CONTEXT = new TextEncoder().encode('plexus admission consent 1\n')

/** As what a device was shown that it comes: who invites, as whose device, with which rights, confirmed how; */
const byLink = z.object({
  by: z.literal('link'),
  inviter: deviceId,
  /** The name of the new person; empty: a further device of the inviter's. */
  person: text(NAME_MAX_LENGTH),
  role: z.enum(ROLES),
  confirmation: z.enum(['in-advance', 'pictures']),
})
/** or as a further device of whoever types its words, which the key of the invitation is made of; */
const byWords = z.object({ by: z.literal('words') })
/** or as one of the person whose recovery words it was given; */
const byRecovery = z.object({ by: z.literal('recovery') })
/** or by the word of one device, that writes it down itself. */
const byDevice = z.object({ by: z.literal('device'), device: deviceId })

/** What a device agreed to, beside the mesh, its own certificate and the key it was shown. */
export const consentTerms = z.discriminatedUnion('by', [byLink, byWords, byRecovery, byDevice])

/** A device's word in the entry that admits it. */
export const signedConsent = z.object({ terms: consentTerms, signature: exactBytes(CONSENT_BYTES) })

/** As what a device agreed to come. */
export type ConsentTerms = z.output<typeof consentTerms>
/** {@link ConsentTerms} with the device's signature. */
export type SignedConsent = z.output<typeof signedConsent>

/** What a consent is bound to: good for this one admission and for no other. */
export interface ConsentPlace {
  readonly mesh: MeshId
  /** Public key of the invitation or of the recovery; undefined: of neither. */
  readonly key: Uint8Array | undefined
  readonly certificate: SignedCertificate
}

interface Cancellable {
  readonly signal?: AbortSignal | undefined
}

/** Signs that the device of `key` wants to come, as just this. To be given only for what its person was shown. */
export function signConsent(
  key: DeviceKey,
  terms: ConsentTerms,
  place: ConsentPlace,
  options: Cancellable = {},
): Promise<Uint8Array> {
  return key.sign(messageOf(terms, place), options)
}

/** @throws MeshError `integrity` when the device did not agree to come, as this, into this mesh */
export async function checkConsent(device: DeviceId, consent: SignedConsent, place: ConsentPlace): Promise<void> {
  if (await verifySignature(device, messageOf(consent.terms, place), consent.signature)) return
  throw new MeshError('integrity', 'The device did not agree to be admitted like this.', { fault: 'peer' })
}

function messageOf(terms: ConsentTerms, { mesh, key, certificate }: ConsentPlace): Uint8Array {
  const said = terms.by === 'link' ? { ...terms, person: cleanName(terms.person) } : terms
  const body = encode({ mesh: fromHex(mesh), certificate: certificateHash(certificate), key: key ?? null, terms: said })
  const message = new Uint8Array(CONTEXT.byteLength + body.byteLength)
  message.set(CONTEXT)
  message.set(body, CONTEXT.byteLength)
  return message
}
