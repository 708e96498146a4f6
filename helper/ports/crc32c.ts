// CRC-32C (Castagnoli, reflected), as LevelDB puts it beside everything it writes.

const POLYNOMIAL = 0x82f63b78
const TABLE = new Uint32Array(256)
/** The index into {@link TABLE} of the entry with this highest byte: each has another. */
const INDEX_OF_TOP = new Uint8Array(256)
for (let byte = 0; byte < 256; byte++) {
  let value = byte
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ POLYNOMIAL : value >>> 1
  TABLE[byte] = value
  INDEX_OF_TOP[value >>> 24] = byte
}
/** What one flipped bit of the last byte does to the sum, by the sum. */
const BIT_OF_DIFFERENCE = new Map(Array.from({ length: 8 }, (_, bit) => [entryOf(1 << bit), bit]))

/** The sum of some bytes. */
export function crc32c(bytes: Uint8Array): number {
  let sum = 0xffffffff
  for (const byte of bytes) sum = entryOf((sum ^ byte) & 0xff) ^ (sum >>> 8)
  return ~sum >>> 0
}

/**
 * The one bit that has to be flipped in `bytes` for them to have the sum they had when
 * they were written; undefined when it is not one bit. The sum of each single bit is
 * another, so there is one at most; of bytes that were changed in several places, one in
 * some ten thousand looks as if it were one bit.
 */
export function flippedBit(bytes: Uint8Array, writtenSum: number): { at: number; bit: number } | undefined {
  let difference = (crc32c(bytes) ^ writtenSum) >>> 0
  if (difference === 0) return undefined
  for (let at = bytes.byteLength - 1; at >= 0; at--) {
    const bit = BIT_OF_DIFFERENCE.get(difference)
    if (bit !== undefined) return { at, bit }
    // as if the last byte had not been there yet
    const index = INDEX_OF_TOP[difference >>> 24] ?? 0
    difference = (((difference ^ entryOf(index)) << 8) | index) >>> 0
  }
  return undefined
}

function entryOf(index: number): number {
  return TABLE[index] ?? 0
}
