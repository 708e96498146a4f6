/** Port: cryptographically strong random bytes. Tests give a seeded one. */
export interface Random {
  /** `length` fresh bytes, owned by the caller. */
  bytes(length: number): Uint8Array<ArrayBuffer>
}

const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz'

/**
 * An id that sorts by time: 10 characters of milliseconds, 16 of randomness
 * (the layout of a ULID, lower-case Crockford base32).
 */
export function sortableId(nowMs: number, random: Random): string {
  let time = ''
  for (let left = nowMs, index = 0; index < 10; index++) {
    time = ALPHABET.charAt(left % 32) + time
    left = Math.floor(left / 32)
  }
  let tail = ''
  for (const byte of random.bytes(16)) tail += ALPHABET.charAt(byte % 32)
  return time + tail
}

/** A whole number from 0 up to, not including, `below` (at most 2^32). */
export function randomInt(random: Random, below: number): number {
  const [a = 0, b = 0, c = 0, d = 0] = random.bytes(4)
  return (((a << 24) | (b << 16) | (c << 8) | d) >>> 0) % below
}
