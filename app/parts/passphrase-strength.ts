import { PASSPHRASE_MIN_LENGTH } from '../../mesh/base/index.ts'

/** How hard a passphrase is to guess, as far as its shape says. A hint, never a rule. */
export type Strength = 'short' | 'weak' | 'fair' | 'good'

/** Different characters below which it is a pattern, not a passphrase. */
const VARIED = 6
const GOOD_WORDS = 4
const GOOD_LENGTH = 20
const FAIR_LENGTH = 14

/** Looks at length, words and repetition only: no list of known ones is carried along. */
export function strengthOf(passphrase: string): Strength {
  if (passphrase.length < PASSPHRASE_MIN_LENGTH) return 'short'
  const words = new Set(
    passphrase
      .toLowerCase()
      .split(/[^\p{L}\p{N}]+/u)
      .filter((word) => word.length > 1),
  )
  const different = new Set(passphrase.toLowerCase()).size
  if (different < VARIED) return 'weak'
  if (words.size >= GOOD_WORDS || passphrase.length >= GOOD_LENGTH) return 'good'
  return passphrase.length >= FAIR_LENGTH ? 'fair' : 'weak'
}
