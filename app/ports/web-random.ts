import type { Random } from '../../mesh/base/index.ts'

/** What `getRandomValues` gives in one call. */
const CHUNK_BYTES = 65_536

/** Randomness of the browser. It is there on insecure origins too. */
export const webRandom: Random = {
  bytes(length) {
    const bytes = new Uint8Array(length)
    for (let start = 0; start < length; start += CHUNK_BYTES) {
      crypto.getRandomValues(bytes.subarray(start, Math.min(start + CHUNK_BYTES, length)))
    }
    return bytes
  },
}
