import { sha256 } from '@noble/hashes/sha2.js'
import { combine, split } from 'shamir-secret-sharing'
import { MeshError, RECOVERY_TEXT_MAX_LENGTH, type Random } from '../base/index.ts'
import { toHex } from '../wire/index.ts'
import { RECOVERY_SECRET_BYTES, wordsToSecret } from './recovery.ts'

/** How many shares there are, and how many bring the secret back. */
export const SHARES = 3
export const SHARES_NEEDED = 2

// one share, 30 bytes: version and number (1), set (4), share of secret and check (21), checksum (4)
const VERSION = 1
const SET_BYTES = 4
const CHECK_BYTES = 4
/** The library adds one byte that says where on the curve the share lies. */
const DATA_BYTES = RECOVERY_SECRET_BYTES + CHECK_BYTES + 1
const SHARE_BYTES = 1 + SET_BYTES + DATA_BYTES + CHECK_BYTES

/** Crockford's base 32: no I, L, O or U to mistake. 30 bytes are 48 characters exactly. */
const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
const CHARACTERS = (SHARE_BYTES * 8) / 5
const GROUP = 4
/** Far more than one share has; what is longer is not read. */
const TEXT_MAX_LENGTH = 1_000

/** One of three shares, any two of which are the secret; one alone says nothing about it. */
export interface RecoveryShare {
  /** 1 to {@link SHARES}. */
  readonly number: number
  /** Which shares belong together: 8 hex digits. */
  readonly set: string
  /** What to write down: twelve groups of four characters. */
  readonly text: string
}

/**
 * Splits a recovery secret (Shamir 1979, over GF(2^8), by an audited library that
 * takes its chance from the platform). Each call makes another set.
 */
export async function splitSecret(secret: Uint8Array, random: Random): Promise<readonly RecoveryShare[]> {
  if (secret.byteLength !== RECOVERY_SECRET_BYTES) throw new MeshError('bug', 'A recovery secret has 16 bytes.')
  const set = random.bytes(SET_BYTES)
  // the check is split too: seen by who has two shares, and by nobody who has one
  const parts = await split(joined(secret, checksumOf(secret)), SHARES, SHARES_NEEDED)
  return parts.map((data, at) => {
    const number = at + 1
    const head = joined(Uint8Array.of((VERSION << 4) | number), set, data)
    return { number, set: toHex(set), text: grouped(toBase32(joined(head, checksumOf(head)))) }
  })
}

/**
 * What a share says of itself, before there is a second.
 * @throws MeshError `malformed`: too long, too short, miswritten
 */
export function readShare(text: string): RecoveryShare {
  const { number, set } = parsed(text)
  return { number, set: toHex(set), text: grouped(normal(text)) }
}

/**
 * The secret of two or more shares of one set.
 * @throws MeshError `malformed` for a miswritten share, `usage` when they are too few or the
 * same, `conflict` when they are of different sets
 */
export async function combineShares(texts: readonly string[]): Promise<Uint8Array> {
  const shares = texts.map(parsed)
  const numbers = new Set(shares.map(({ number }) => number))
  const sets = new Set(shares.map(({ set }) => toHex(set)))
  if (sets.size > 1) {
    throw new MeshError(
      'conflict',
      `These shares do not belong together: they are of the sets ${[...sets].join(', ')}.`,
    )
  }
  if (numbers.size < shares.length) throw new MeshError('usage', 'This is the same share twice. Another one is needed.')
  if (shares.length < SHARES_NEEDED) throw new MeshError('usage', `${String(SHARES_NEEDED)} shares are needed.`)
  const whole = await combined(shares.map(({ data }) => data))
  const secret = whole.slice(0, RECOVERY_SECRET_BYTES)
  if (!isSame(whole.subarray(RECOVERY_SECRET_BYTES), checksumOf(secret))) throw notTogether()
  return secret
}

/**
 * The secret of whatever a person kept and typed in: twelve words, or two or three
 * parts one behind the other, with any spaces, dashes and line breaks.
 * @throws MeshError as {@link wordsToSecret} and {@link combineShares}; `too-large`
 */
export async function secretOf(text: string): Promise<Uint8Array> {
  if (text.length > RECOVERY_TEXT_MAX_LENGTH)
    throw new MeshError('too-large', 'This is more than twelve words or three parts.', { fault: 'user' })
  // a part begins with its version, which is written as a digit; a word has none
  if (!/\d/.test(text)) return wordsToSecret(text)
  const characters = text.replace(/[^0-9a-z]/gi, '')
  const shares: string[] = []
  for (let at = 0; at < characters.length; at += CHARACTERS) shares.push(characters.slice(at, at + CHARACTERS))
  return combineShares(shares)
}

interface ParsedShare {
  readonly number: number
  readonly set: Uint8Array
  readonly data: Uint8Array
}

function parsed(text: string): ParsedShare {
  const bytes = fromBase32(normal(text))
  const head = bytes.subarray(0, SHARE_BYTES - CHECK_BYTES)
  if (!isSame(bytes.subarray(SHARE_BYTES - CHECK_BYTES), checksumOf(head))) {
    throw new MeshError('malformed', 'A character of this share is another one. Compare it group by group.')
  }
  const [first = 0] = head
  if (first >> 4 !== VERSION) throw new MeshError('unsupported', 'This share is of a newer version of Plexus.')
  const number = first & 0xf
  if (number < 1 || number > SHARES) throw notTogether()
  return { number, set: head.slice(1, 1 + SET_BYTES), data: head.slice(1 + SET_BYTES) }
}

async function combined(parts: Uint8Array[]): Promise<Uint8Array> {
  try {
    return await combine(parts)
  } catch (error) {
    throw notTogether(error)
  }
}

function notTogether(cause?: unknown): MeshError {
  return new MeshError('malformed', 'These shares give no secret: they were not made by Plexus, or were changed.', {
    cause,
  })
}

/** As it was written down: case, spaces and dashes do not count, nor O for 0, or I and L for 1. */
function normal(text: string): string {
  const characters = text
    .slice(0, TEXT_MAX_LENGTH)
    .toUpperCase()
    .replace(/[\s-]/g, '')
    .replaceAll('O', '0')
    .replace(/[IL]/g, '1')
  const wrong = [...characters].find((character) => !ALPHABET.includes(character))
  if (wrong !== undefined) throw new MeshError('malformed', `A share has letters and digits, and no “${wrong}”.`)
  if (characters.length !== CHARACTERS) {
    const sentence = `A share has ${String(CHARACTERS)} characters; this one has ${String(characters.length)}.`
    throw new MeshError('malformed', sentence)
  }
  return characters
}

function grouped(characters: string): string {
  const groups: string[] = []
  for (let at = 0; at < characters.length; at += GROUP) groups.push(characters.slice(at, at + GROUP))
  return groups.join('-')
}

function toBase32(bytes: Uint8Array): string {
  let text = ''
  let bits = 0
  let held = 0
  for (const byte of bytes) {
    held = (held << 8) | byte
    for (bits += 8; bits >= 5; bits -= 5) text += ALPHABET.charAt((held >>> (bits - 5)) & 31)
    held &= (1 << bits) - 1
  }
  return text
}

function fromBase32(characters: string): Uint8Array {
  const bytes: number[] = []
  let bits = 0
  let held = 0
  for (const character of characters) {
    held = (held << 5) | ALPHABET.indexOf(character)
    bits += 5
    if (bits < 8) continue
    bits -= 8
    bytes.push(held >>> bits)
    held &= (1 << bits) - 1
  }
  return Uint8Array.from(bytes)
}

function checksumOf(bytes: Uint8Array): Uint8Array {
  return sha256(bytes).subarray(0, CHECK_BYTES)
}

function joined(...parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.byteLength, 0))
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.byteLength
  }
  return whole
}

function isSame(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, at) => byte === b[at])
}
