import { sha256 } from '@noble/hashes/sha2.js'
import * as z from 'zod/mini'
import { MeshError } from '../../base/index.ts'
import { SEALING_KEY_BYTES } from '../../seal/index.ts'
import { bytes, decode, deviceId, encode, exactBytes, text, whole } from '../../wire/index.ts'
import type { DeviceKey } from '../device-key.ts'
import { cleanName, NAME_MAX_LENGTH } from '../names.ts'
import { verifySignature } from './signature.ts'

/** Largest certificate body, in bytes: two keys and a name. */
export const CERTIFICATE_MAX_BYTES = 1024

const CONTEXT = new TextEncoder().encode('plexus certificate 1\n')

const certificateBody = z.object({
  device: deviceId,
  sealingKey: exactBytes(SEALING_KEY_BYTES),
  kind: z.enum(['helper', 'browser']),
  name: text(NAME_MAX_LENGTH),
  at: whole(),
})

/** A certificate and its signature as they travel and rest. */
export const signedCertificate = z.object({ body: bytes(CERTIFICATE_MAX_BYTES), signature: exactBytes(64) })

/** What a device says of itself, signed by itself: the X25519 key others seal to, its kind and name. */
export type Certificate = z.output<typeof certificateBody>
/** A {@link Certificate} as bytes with the device's Ed25519 signature. */
export type SignedCertificate = z.output<typeof signedCertificate>

interface Cancellable {
  readonly signal?: AbortSignal | undefined
}

/** Signs what the device of `key` says of itself. @throws MeshError `usage` for a name without visible characters */
export async function signCertificate(
  key: DeviceKey,
  fields: Omit<Certificate, 'device'>,
  options: Cancellable = {},
): Promise<SignedCertificate> {
  const name = cleanName(fields.name)
  if (name === '') throw new MeshError('usage', 'A name needs at least one visible character.')
  const body = encode({ ...fields, name, device: key.id })
  return { body, signature: await key.sign(withContext(body), options) }
}

/** Opens a certificate from anyone. @throws MeshError `malformed`, `too-large`, `integrity` */
export async function openCertificate(signed: SignedCertificate): Promise<Certificate> {
  const certificate = readCertificate(signed)
  const genuine = await verifySignature(certificate.device, withContext(signed.body), signed.signature)
  if (!genuine) throw new MeshError('integrity', 'A certificate is not signed by the device it names.')
  return certificate
}

/** What a certificate says, without looking at its signature: for one that was opened before. */
export function readCertificate(signed: SignedCertificate): Certificate {
  const certificate = decode(signed.body, certificateBody, {
    maxBytes: CERTIFICATE_MAX_BYTES,
    what: 'A device’s certificate',
  })
  // whoever signs chooses the name, and it is shown: cleaned here, not only there
  return { ...certificate, name: cleanName(certificate.name) || 'Unnamed device' }
}

/** The hash a proof binds itself to. */
export function certificateHash(signed: SignedCertificate): Uint8Array {
  return sha256(withContext(signed.body))
}

function withContext(body: Uint8Array): Uint8Array {
  const message = new Uint8Array(CONTEXT.byteLength + body.byteLength)
  message.set(CONTEXT)
  message.set(body, CONTEXT.byteLength)
  return message
}
