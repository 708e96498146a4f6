import { sha256 } from '@noble/hashes/sha2.js'
import type { DeviceId, InvitationId, MeshId } from '../base/index.ts'
import { PICTURES, type PictureName } from './picture-names.ts'

/** Bytes of an invitation's secret: 128 bits, so that guessing is hopeless. */
export const SECRET_BYTES = 16
/** Bytes of the number each of the two sides brings to the pictures. */
export const NONCE_BYTES = 32
/** Bytes of what the joiner says of its number before it hears the other's. */
export const COMMITMENT_BYTES = 32
/** Pictures that people compare: six of 64, so 36 bits. */
export const PICTURE_COUNT = 6

const text = new TextEncoder()

/** What the pictures are of: one device that comes by one invitation into one mesh. */
export interface Comparison {
  readonly mesh: MeshId
  readonly invitation: InvitationId
  readonly inviter: DeviceId
  readonly joiner: DeviceId
  /** Hash of the joiner's certificate: the key that everything will be sealed to is compared too. */
  readonly certificate: Uint8Array
}

/**
 * What the joiner says of its number before it has heard the other one: whoever stands
 * in between, or the joiner, could else try numbers until the pictures are the wanted ones.
 */
export function commitmentOf(joinerNonce: Uint8Array, comparison: Comparison): Uint8Array {
  return sha256(concat(text.encode('plexus pictures commitment 2\n'), about(comparison), joinerNonce))
}

/**
 * The pictures both screens show, from a number of either side. Neither side chose its
 * own knowing the other's: the joiner was bound by {@link commitmentOf} before it heard
 * the inviter's, and the inviter's device drew its own before the joiner's was opened.
 */
export function comparePictures(
  comparison: Comparison,
  nonces: { readonly joiner: Uint8Array; readonly inviter: Uint8Array },
): PictureName[] {
  const digest = sha256(concat(text.encode('plexus pictures 2\n'), about(comparison), nonces.joiner, nonces.inviter))
  return [...digest.subarray(0, PICTURE_COUNT)].map((byte) => PICTURES[byte % PICTURES.length] ?? 'star')
}

/** Compares without telling by time where the first difference is. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.byteLength !== b.byteLength) return false
  let difference = 0
  for (let index = 0; index < a.byteLength; index++) difference |= (a[index] ?? 0) ^ (b[index] ?? 0)
  return difference === 0
}

function about({ mesh, invitation, inviter, joiner, certificate }: Comparison): Uint8Array {
  return concat(text.encode(`${mesh}\n${invitation}\n${inviter}\n${joiner}\n`), certificate)
}

function concat(...parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.byteLength, 0))
  let offset = 0
  for (const part of parts) {
    whole.set(part, offset)
    offset += part.byteLength
  }
  return whole
}
