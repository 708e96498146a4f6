import type { DeviceId } from '../base/index.ts'
import { verifyBy, type DeviceKey } from './device-key.ts'

/** Bytes of the number a page picks, so that no proof is good twice. */
export const ORIGIN_NONCE_BYTES = 32

/** Proves that the device of this key serves a page's origin now. Worth nothing anywhere else. */
export function originProof(key: Pick<DeviceKey, 'sign'>, origin: string, nonce: Uint8Array): Promise<Uint8Array> {
  return key.sign(statement(origin, nonce))
}

/** Whether `proof` was made by the device `id` for this origin and number. */
export function checkOriginProof(id: DeviceId, origin: string, nonce: Uint8Array, proof: Uint8Array): Promise<boolean> {
  return verifyBy(id, statement(origin, nonce), proof)
}

/** Begins with words of its own: a signature over it is none over anything else this key signs. */
function statement(origin: string, nonce: Uint8Array): Uint8Array {
  const words = new TextEncoder().encode(`plexus origin 1\n${origin}\n`)
  const whole = new Uint8Array(words.byteLength + nonce.byteLength)
  whole.set(words)
  whole.set(nonce, words.byteLength)
  return whole
}
