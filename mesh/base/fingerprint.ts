import { MeshError } from './errors.ts'
import type { DeviceId } from './ids.ts'

const BASE58 = '123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz'
/** Base 32 of RFC 4648: no 0, 1 or 8 that reads as O, I or B. */
const BASE32 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'

const KEY_BITS = 256n
/** 256 bits are 52 characters of five bits, the last filled up with zeros. */
const KEY_CHARACTERS = 52
const PART_CHARACTERS = 13
const GROUP_CHARACTERS = 7
const WHOLE_CHARACTERS = 56

/** How a fingerprint that somebody read out or pasted stands to a device's own. */
export type FingerprintMatch = 'same' | 'other' | 'mistyped' | 'incomplete'

/**
 * The public key of a device as two people can compare it: 8 groups of 7 characters.
 * It is the whole Ed25519 key, not a hash of it, in base 32; every 14th character
 * checks the 13 before it (Luhn's rule for base 32), so that a slip of the tongue or
 * two characters in the wrong order are seen as such and not taken for another key.
 * @throws MeshError `malformed` when the id is not base58.
 */
export function keyFingerprint(id: DeviceId): readonly string[] {
  const key = keyOf(id) << 4n
  const digits = Array.from({ length: KEY_CHARACTERS }, (_, at) => Number((key >> BigInt(5 * (51 - at))) & 31n))
  const parts = [0, 1, 2, 3].map((part) => digits.slice(part * PART_CHARACTERS, (part + 1) * PART_CHARACTERS))
  const text = parts.map((part) => [...part, checkDigit(part)].map((digit) => BASE32.charAt(digit)).join('')).join('')
  return text.match(new RegExp(`.{${String(GROUP_CHARACTERS)}}`, 'g')) ?? []
}

/** Compares what was read out or pasted with the key of a device. Case, spaces and dashes do not matter. */
export function compareFingerprint(id: DeviceId, given: string): FingerprintMatch {
  const text = given.toUpperCase().replace(/[\s-]/g, '')
  if (text.length < WHOLE_CHARACTERS) return 'incomplete'
  if (text.length > WHOLE_CHARACTERS || !hasGoodChecks(text)) return 'mistyped'
  return text === keyFingerprint(id).join('') ? 'same' : 'other'
}

function hasGoodChecks(text: string): boolean {
  const digits = [...text].map((character) => BASE32.indexOf(character))
  if (digits.includes(-1)) return false
  return [0, 14, 28, 42].every((from) => checkDigit(digits.slice(from, from + 13)) === digits[from + 13])
}

/** Luhn's rule in base 32: every second digit from the right is doubled, and the digits of that are summed. */
function checkDigit(digits: readonly number[]): number {
  const sum = digits.reduceRight((total, digit, at) => {
    const weighed = (digits.length - 1 - at) % 2 === 0 ? digit * 2 : digit
    return total + Math.floor(weighed / 32) + (weighed % 32)
  }, 0)
  return (32 - (sum % 32)) % 32
}

/** The key in a peer id: what stands before it says only that it is an Ed25519 key. */
function keyOf(id: DeviceId): bigint {
  let value = 0n
  for (const character of id) {
    const digit = BASE58.indexOf(character)
    if (digit === -1) throw new MeshError('malformed', 'This is not the id of a device.')
    value = value * 58n + BigInt(digit)
  }
  return BigInt.asUintN(Number(KEY_BITS), value)
}
