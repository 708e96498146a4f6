import type { CipherSuite } from '@hpke/core'
import { x25519 } from '@noble/curves/ed25519.js'
import { MeshError, type Random } from '../base/index.ts'

/** Bytes of an X25519 key, public or private. */
export const SEALING_KEY_BYTES = 32
/** By how many bytes a sealed message is longer than what is in it: encapsulated key and tag. */
export const SEALED_OVERHEAD_BYTES = 48

/** An X25519 key pair that others seal to (RFC 7748). */
export interface SealingKeyPair {
  readonly publicKey: Uint8Array
  readonly privateKey: Uint8Array
}

/** A fresh pair. */
export function createSealingKeyPair(random: Random): SealingKeyPair {
  const privateKey = random.bytes(SEALING_KEY_BYTES)
  return { publicKey: x25519.getPublicKey(privateKey), privateKey }
}

/** The pair that belongs to a private key. */
export function sealingKeyPairOf(privateKey: Uint8Array): SealingKeyPair {
  return { publicKey: x25519.getPublicKey(privateKey), privateKey }
}

/**
 * Seals to the holder of a key (RFC 9180, base mode: X25519, HKDF-SHA-256, AES-256-GCM).
 * Says nothing about who sealed: sign what carries it. `info` names what it is for
 * and must be given again to open.
 * @throws MeshError `malformed` for a key that is none
 */
export async function sealTo(publicKey: Uint8Array, plain: Uint8Array, info: Uint8Array): Promise<Uint8Array> {
  const suite = await suiteHere()
  try {
    const recipientPublicKey = await suite.kem.deserializePublicKey(exact(publicKey))
    const sender = await suite.createSenderContext({ recipientPublicKey, info: exact(info) })
    const sealed = new Uint8Array(await sender.seal(exact(plain)))
    const whole = new Uint8Array(SEALING_KEY_BYTES + sealed.byteLength)
    whole.set(new Uint8Array(sender.enc))
    whole.set(sealed, SEALING_KEY_BYTES)
    return whole
  } catch (error) {
    throw new MeshError('malformed', 'This key cannot be sealed to.', { cause: error })
  }
}

/** Opens what {@link sealTo} sealed. @throws MeshError `integrity` */
export async function openSealed(pair: SealingKeyPair, sealed: Uint8Array, info: Uint8Array): Promise<Uint8Array> {
  if (sealed.byteLength < SEALED_OVERHEAD_BYTES) throw notForThisKey(undefined)
  const suite = await suiteHere()
  try {
    const recipientKey = await suite.kem.deserializePrivateKey(exact(pair.privateKey))
    const enc = exact(sealed.subarray(0, SEALING_KEY_BYTES))
    const recipient = await suite.createRecipientContext({ recipientKey, enc, info: exact(info) })
    return new Uint8Array(await recipient.open(exact(sealed.subarray(SEALING_KEY_BYTES))))
  } catch (error) {
    throw notForThisKey(error)
  }
}

let chosen: Promise<CipherSuite> | undefined

/** The platform's own X25519 where it has one; chosen once. */
async function suiteHere(): Promise<CipherSuite> {
  chosen ??= choose()
  try {
    return await chosen
  } catch (cause) {
    // a page may have no way to its origin now: the next try loads it anew
    chosen = undefined
    throw new MeshError('offline', 'What seals keys could not be loaded.', { cause, retryable: true })
  }
}

// loaded when the first key is sealed or opened: a page shows itself before that
async function choose(): Promise<CipherSuite> {
  const { Aes256Gcm, CipherSuite, DhkemX25519HkdfSha256, HkdfSha256 } = await import('@hpke/core')
  const parts = { kdf: new HkdfSha256(), aead: new Aes256Gcm() }
  try {
    const native = new CipherSuite({ kem: new DhkemX25519HkdfSha256(), ...parts })
    await native.kem.generateKeyPair()
    return native
  } catch {
    // browsers before 2025 lack X25519 in WebCrypto: that is what the portable one is for
    const portable = await import('@hpke/dhkem-x25519')
    return new CipherSuite({ kem: new portable.DhkemX25519HkdfSha256(), ...parts })
  }
}

function exact(bytes: Uint8Array): ArrayBuffer {
  return new Uint8Array(bytes).buffer
}

function notForThisKey(cause: unknown): MeshError {
  return new MeshError('integrity', 'This was not sealed to this device, or was changed since.', { cause })
}
