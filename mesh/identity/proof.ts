import { sha256 } from '@noble/hashes/sha2.js'
import type { DeviceId } from '../base/index.ts'

/** Bytes of an invitation's secret: 128 bits, so that guessing is hopeless. */
export const SECRET_BYTES = 16
/** Bytes of the inviter's nonce from which the pictures are made. */
export const NONCE_BYTES = 16

const text = new TextEncoder()

// 64 pictures that look different at a glance and have a plain name in every language
const PICTURES = [
  ...'🐶🐱🦁🐴🦄🐷🐘🐰🐼🐓🐧🐢🐟🐙🦋🌷🌳🌵🍄🌍🌙⭐🔥🌈🍌🍎🍓🌽🍕🎂❤🤖🎩👓🔧🎅👍☂⌛⏰🎁💡📕✏📎✂🔒🔑🔨☎🏁🚂🚲✈🚀🏆⚽🎸🎺🔔⚓🎧📁📌',
]

/**
 * Four pictures both screens show. Made from both ids and a nonce that the inviter
 * picks after the joiner's id is fixed, so that a joiner cannot search for a key
 * whose pictures match somebody else's.
 */
export function comparePictures(inviter: DeviceId, joiner: DeviceId, nonce: Uint8Array): string[] {
  const digest = sha256(concat(text.encode(`plexus pictures 1\n${inviter}\n${joiner}\n`), nonce))
  return [...digest.subarray(0, 4)].map((byte) => PICTURES[byte % PICTURES.length] ?? '⭐')
}

/** Compares without telling by time where the first difference is. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.byteLength !== b.byteLength) return false
  let difference = 0
  for (let index = 0; index < a.byteLength; index++) difference |= (a[index] ?? 0) ^ (b[index] ?? 0)
  return difference === 0
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
