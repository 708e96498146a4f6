import { scryptAsync } from '@noble/hashes/scrypt.js'
import { wordlist } from '@scure/bip39/wordlists/english.js'
import { MeshError, randomInt, type Random } from '../base/index.ts'
import { SECRET_BYTES } from './proof.ts'

/** Words a new device shows: 6 of 2,048, so 66 bits. */
export const WORD_COUNT = 6

const SALT = new TextEncoder().encode('plexus words 1')
// about 0.1 s here: a guess costs as much, and there are 2^66
const COST = { N: 2 ** 14, r: 8, p: 1 } as const

/** Six fresh words, all different from each other at a glance: of the list that BIP 39 made for being read aloud. */
export function makeWords(random: Random): string[] {
  return Array.from({ length: WORD_COUNT }, () => wordlist[randomInt(random, wordlist.length)] ?? 'abandon')
}

/**
 * What a person typed, as the words that were meant: case, commas, numbers before
 * the words and anything behind the first four letters, which no two words share, do
 * not matter.
 * @throws MeshError `usage` naming the word that is none, or how many there are
 */
export function readWords(typed: string): string[] {
  const parts = typed
    .normalize('NFKD')
    .toLowerCase()
    .split(/[^a-z]+/)
    .filter((part) => part !== '')
  if (parts.length !== WORD_COUNT)
    throw new MeshError(
      'usage',
      `The other device shows ${String(WORD_COUNT)} words; these are ${String(parts.length)}.`,
    )
  return parts.map((part) => {
    const word =
      wordlist.find((one) => one === part) ??
      wordlist.find((one) => part.length >= 4 && one.startsWith(part.slice(0, 4)))
    if (word === undefined) throw new MeshError('usage', `"${part.slice(0, 20)}" is none of the words. Look again.`)
    return word
  })
}

/** The secret the words stand for, stretched so that guessing is slow (scrypt, RFC 7914). */
export async function secretOfWords(words: readonly string[]): Promise<Uint8Array> {
  return scryptAsync(new TextEncoder().encode(words.join(' ')), SALT, { ...COST, dkLen: SECRET_BYTES })
}
