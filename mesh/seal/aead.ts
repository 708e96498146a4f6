import { gcm } from '@noble/ciphers/aes.js'
import { MeshError, type Random } from '../base/index.ts'

/** Bytes of a secret key: AES-256. */
export const SECRET_KEY_BYTES = 32
/** Bytes of the random nonce in front of every box (NIST SP 800-38D: 96 bits). */
const NONCE_BYTES = 12
/** Bytes of the authentication tag behind it. */
const TAG_BYTES = 16
/** By how many bytes a box is longer than what is in it. */
export const BOX_OVERHEAD_BYTES = NONCE_BYTES + TAG_BYTES

/**
 * A symmetric key in use: AES-256-GCM with random 96-bit nonces, so one key must
 * seal fewer than 2^32 boxes. A box is `nonce || ciphertext || tag`.
 */
export interface SecretKey {
  /** Seals; `context` is authenticated, not hidden, and must be given again to open. */
  seal(plain: Uint8Array, context: Uint8Array, random: Random): Promise<Uint8Array<ArrayBuffer>>
  /** @throws MeshError `integrity` when the box, the context or the key is another one */
  open(box: Uint8Array, context: Uint8Array): Promise<Uint8Array<ArrayBuffer>>
}

/** The key of {@link SECRET_KEY_BYTES} bytes, ready to use; the bytes may be wiped afterwards. */
export async function secretKey(bytes: Uint8Array): Promise<SecretKey> {
  if (bytes.byteLength !== SECRET_KEY_BYTES) throw new MeshError('bug', 'A secret key has 32 bytes.')
  // a page from plain HTTP has no WebCrypto
  const subtle = (crypto as Partial<typeof crypto>).subtle
  if (subtle === undefined) return plainKey(bytes.slice())
  return cryptoKey(await subtle.importKey('raw', new Uint8Array(bytes), 'AES-GCM', false, ['encrypt', 'decrypt']))
}

/** A key whose bytes the platform keeps. */
export type PlatformKey = Parameters<typeof crypto.subtle.encrypt>[1]

/** A WebCrypto AES-GCM key in use, such as one that the platform keeps non-extractable. */
export function cryptoKey(key: PlatformKey): SecretKey {
  const { subtle } = crypto
  return {
    async seal(plain, context, random) {
      const nonce = random.bytes(NONCE_BYTES)
      const sealed = await subtle.encrypt(gcmOf(nonce, context), key, new Uint8Array(plain))
      return boxOf(nonce, new Uint8Array(sealed))
    },
    async open(box, context) {
      const { nonce, sealed } = partsOf(box)
      try {
        return new Uint8Array(await subtle.decrypt(gcmOf(nonce, context), key, sealed))
      } catch (error) {
        throw notOurs(error)
      }
    },
  }
}

function plainKey(key: Uint8Array): SecretKey {
  return {
    seal(plain, context, random) {
      const nonce = random.bytes(NONCE_BYTES)
      return Promise.resolve(boxOf(nonce, gcm(key, nonce, context).encrypt(plain)))
    },
    open: (box, context) =>
      Promise.resolve(box).then((given) => {
        const { nonce, sealed } = partsOf(given)
        try {
          return new Uint8Array(gcm(key, nonce, context).decrypt(sealed))
        } catch (error) {
          throw notOurs(error)
        }
      }),
  }
}

function gcmOf(
  nonce: Uint8Array<ArrayBuffer>,
  context: Uint8Array,
): { name: string; iv: Uint8Array<ArrayBuffer>; additionalData: Uint8Array<ArrayBuffer> } {
  return { name: 'AES-GCM', iv: nonce, additionalData: new Uint8Array(context) }
}

function boxOf(nonce: Uint8Array, sealed: Uint8Array): Uint8Array<ArrayBuffer> {
  const box = new Uint8Array(NONCE_BYTES + sealed.byteLength)
  box.set(nonce)
  box.set(sealed, NONCE_BYTES)
  return box
}

function partsOf(box: Uint8Array): { nonce: Uint8Array<ArrayBuffer>; sealed: Uint8Array<ArrayBuffer> } {
  if (box.byteLength < BOX_OVERHEAD_BYTES) throw notOurs(undefined)
  return { nonce: new Uint8Array(box.subarray(0, NONCE_BYTES)), sealed: new Uint8Array(box.subarray(NONCE_BYTES)) }
}

function notOurs(cause: unknown): MeshError {
  return new MeshError('integrity', 'This was not sealed with that key, or was changed since.', { cause })
}
