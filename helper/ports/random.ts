import { randomBytes } from 'node:crypto'
import type { Random } from '../../mesh/base/index.ts'

/** Randomness of the operating system. */
export const systemRandom: Random = {
  bytes: (length) => new Uint8Array(randomBytes(length)),
}
