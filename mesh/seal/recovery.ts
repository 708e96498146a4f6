import { ed25519 } from '@noble/curves/ed25519.js'
import { hkdf } from '@noble/hashes/hkdf.js'
import { sha256 } from '@noble/hashes/sha2.js'
import { MeshError, type Random } from '../base/index.ts'
import { SEALING_KEY_BYTES, sealingKeyPairOf, type SealingKeyPair } from './hpke.ts'

/** Bytes of a recovery secret: 128 bits, twelve words. */
export const RECOVERY_SECRET_BYTES = 16
const WORDS = 12
const SEED_BYTES = 32
/** Far more than twelve words have; what is longer is not read. */
const TEXT_MAX_LENGTH = 1_000

/** What brings a person back: known by its public keys, had again from the secret. */
export interface RecoveryKeys {
  /** Ed25519 (RFC 8032): proves that the person is meant. */
  readonly sign: { readonly publicKey: Uint8Array; sign(message: Uint8Array): Uint8Array }
  /** X25519: what was sealed to the person. */
  readonly seal: SealingKeyPair
}

/** A fresh secret. Whoever has it is the person: it is shown once, and kept nowhere. */
export function createRecoverySecret(random: Random): Uint8Array {
  return random.bytes(RECOVERY_SECRET_BYTES)
}

/** The secret as twelve English words (BIP-39; four bits of the last are a checksum). */
export async function secretToWords(secret: Uint8Array): Promise<string> {
  checkSecret(secret)
  const { entropyToMnemonic, wordlist } = await words()
  return entropyToMnemonic(secret, wordlist)
}

/**
 * The secret of twelve words as a person wrote them: case, spaces and commas do not
 * count, and the first four letters of a word are enough.
 * @throws MeshError `malformed` saying which word is none, or that they do not fit together
 */
export async function wordsToSecret(text: string): Promise<Uint8Array> {
  const written = text
    .slice(0, TEXT_MAX_LENGTH)
    .normalize('NFKD')
    .toLowerCase()
    .split(/[^a-z]+/)
    .filter((word) => word !== '')
  if (written.length !== WORDS) {
    throw new MeshError('malformed', `These are ${String(written.length)} words; there are twelve.`)
  }
  const { mnemonicToEntropy, wordlist } = await words()
  const whole = written.map((word, at) => wholeWord(wordlist, word, at))
  try {
    return mnemonicToEntropy(whole.join(' '), wordlist)
  } catch (error) {
    const sentence = 'These twelve words do not belong together: one is another word, or two changed places.'
    throw new MeshError('malformed', sentence, { cause: error })
  }
}

/** The keys of a secret, the same wherever it is typed (HKDF-SHA-256, RFC 5869). */
export function recoveryKeys(secret: Uint8Array): RecoveryKeys {
  checkSecret(secret)
  const seed = derived(secret, 'plexus recovery sign v1', SEED_BYTES)
  return {
    sign: { publicKey: ed25519.getPublicKey(seed), sign: (message) => ed25519.sign(message, seed) },
    seal: sealingKeyPairOf(derived(secret, 'plexus recovery seal v1', SEALING_KEY_BYTES)),
  }
}

/** No two words of the list begin with the same four letters. */
function wholeWord(wordlist: readonly string[], written: string, at: number): string {
  const found = written.length < 4 ? undefined : wordlist.find((word) => word.startsWith(written.slice(0, 4)))
  const word = wordlist.includes(written) ? written : found?.startsWith(written) === true ? found : undefined
  if (word !== undefined) return word
  throw new MeshError('malformed', `Word ${String(at + 1)} is none of the list: “${written.slice(0, 20)}”.`, {
    detail: { word: at + 1 },
  })
}

/** 13 kB that only a recovery needs. */
async function words() {
  const [bip39, { wordlist }] = await Promise.all([import('@scure/bip39'), import('@scure/bip39/wordlists/english.js')])
  return { ...bip39, wordlist }
}

function derived(secret: Uint8Array, purpose: string, length: number): Uint8Array {
  return hkdf(sha256, secret, undefined, new TextEncoder().encode(purpose), length)
}

function checkSecret(secret: Uint8Array): void {
  if (secret.byteLength !== RECOVERY_SECRET_BYTES) throw new MeshError('bug', 'A recovery secret has 16 bytes.')
}
