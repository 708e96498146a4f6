import { sha256 } from '@noble/hashes/sha2.js'

/** SHA-256 by the platform where it can, so that megabytes hold up nobody. */
export async function digest(bytes: Uint8Array): Promise<Uint8Array> {
  // a page from plain HTTP has no WebCrypto
  const subtle = (crypto as Partial<typeof crypto>).subtle
  if (subtle === undefined) return sha256(bytes)
  return new Uint8Array(await subtle.digest('SHA-256', new Uint8Array(bytes)))
}
