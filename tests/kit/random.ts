import type { Random } from '../../mesh/base/index.ts'

/** The same bytes for the same seed (sfc32). For tests only: it is not secret. */
export function createSeededRandom(seed: number | string): Random {
  const next = sfc32(hash(String(seed)))
  return {
    bytes(length) {
      const bytes = new Uint8Array(length)
      for (let index = 0; index < length; index++) bytes[index] = next() & 0xff
      return bytes
    },
  }
}

/** FNV-1a over the code units. */
function hash(text: string): number {
  let value = 0x811c9dc5
  for (let index = 0; index < text.length; index++) {
    value = Math.imul(value ^ text.charCodeAt(index), 0x01000193)
  }
  return value >>> 0
}

function sfc32(seed: number): () => number {
  let a = seed | 0
  let b = 0x9e3779b9 | 0
  let c = 0x243f6a88 | 0
  let counter = 1
  const next = (): number => {
    const sum = (((a + b) | 0) + counter) | 0
    counter = (counter + 1) | 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) | 0
    c = ((c << 21) | (c >>> 11)) + sum
    c |= 0
    return sum >>> 11
  }
  // the first outputs of a small seed are alike
  for (let round = 0; round < 12; round++) next()
  return next
}
