import * as z from 'zod/mini'
import {
  ARGON_MAX_KIB,
  ARGON_MAX_PASSES,
  ARGON_MIN_KIB,
  ARGON_MIN_PASSES,
  MeshError,
  PASSPHRASE_MAX_LENGTH,
  PASSPHRASE_MIN_LENGTH,
} from '../base/index.ts'
import { exactBytes } from '../wire/index.ts'
import { SECRET_KEY_BYTES } from './aead.ts'

/** Bytes of the salt of a passphrase. */
export const SALT_BYTES = 16

/** How dear one guess of a passphrase is made: Argon2id (RFC 9106), one lane. */
export interface PassphraseCost {
  readonly memoryKib: number
  readonly passes: number
}

/**
 * The second choice RFC 9106 §4 recommends (64 MiB, three passes), with one lane
 * because WebAssembly has one: about a third of a second on a laptop.
 */
export const PASSPHRASE_COST: PassphraseCost = { memoryKib: 65_536, passes: 3 }

/**
 * The stored form of a cost and its salt. What is outside the bounds is refused: below
 * them somebody who could write here would make guessing cheap, above them a device
 * would hang or run out of memory.
 */
export const costSchema = {
  salt: exactBytes(SALT_BYTES),
  memoryKib: z.int().check(z.gte(ARGON_MIN_KIB), z.lte(ARGON_MAX_KIB)),
  passes: z.int().check(z.gte(ARGON_MIN_PASSES), z.lte(ARGON_MAX_PASSES)),
}

/**
 * The 32 bytes a passphrase stands for. Written in NFKC first, because keyboards differ
 * in how they write the same letter.
 * @throws MeshError `unsupported` where WebAssembly or its memory cannot be had
 */
export async function passphraseToKey(passphrase: string, salt: Uint8Array, cost: PassphraseCost): Promise<Uint8Array> {
  try {
    // some 11 kB that only a locked device needs
    const { argon2id } = await import('hash-wasm')
    return await argon2id({
      password: new TextEncoder().encode(passphrase.normalize('NFKC')),
      salt,
      memorySize: cost.memoryKib,
      iterations: cost.passes,
      parallelism: 1,
      hashLength: SECRET_KEY_BYTES,
      outputType: 'binary',
    })
  } catch (error) {
    const sentence = 'This device lacks the memory, or the WebAssembly, that a passphrase needs.'
    throw new MeshError('unsupported', sentence, { cause: error })
  }
}

/** @throws MeshError `usage` for a passphrase that is too short or too long to be set */
export function checkPassphrase(passphrase: string): void {
  if (passphrase.length < PASSPHRASE_MIN_LENGTH) {
    throw new MeshError('usage', `A passphrase has at least ${String(PASSPHRASE_MIN_LENGTH)} characters.`)
  }
  if (passphrase.length > PASSPHRASE_MAX_LENGTH) {
    throw new MeshError('usage', `A passphrase has at most ${String(PASSPHRASE_MAX_LENGTH)} characters.`)
  }
}
