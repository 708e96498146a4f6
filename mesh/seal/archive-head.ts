import { sha256 } from '@noble/hashes/sha2.js'
import * as z from 'zod/mini'
import { ARCHIVE_HEAD_MAX_BYTES, isMeshError, MeshError, messageOf, type Random } from '../base/index.ts'
import { decode, encode, exactBytes, whole } from '../wire/index.ts'
import { BOX_OVERHEAD_BYTES, SECRET_KEY_BYTES, secretKey, type SecretKey } from './aead.ts'
import { openSealed, SEALED_OVERHEAD_BYTES, sealTo, type SealingKeyPair } from './hpke.ts'
import {
  checkPassphrase,
  costSchema,
  PASSPHRASE_COST,
  passphraseToKey,
  SALT_BYTES,
  type PassphraseCost,
} from './passphrase.ts'

// an archive begins: magic (6), version (1), length of the head (2, big-endian), head
const MAGIC = new TextEncoder().encode('PLEXUS')
const VERSION = 1
/** Bytes in front of the head. */
export const PREFIX_BYTES = MAGIC.byteLength + 3

const lockSchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('passphrase'), ...costSchema, box: exactBytes(SECRET_KEY_BYTES + BOX_OVERHEAD_BYTES) }),
  z.object({ kind: z.literal('recovery'), box: exactBytes(SECRET_KEY_BYTES + SEALED_OVERHEAD_BYTES) }),
])
const headSchema = z.object({ createdAt: whole(), lock: lockSchema })
type Head = z.output<typeof headSchema>

/** What an archive is locked with. `publicKey` is the sealing key of {@link recoveryKeys}. */
export type ArchiveLock =
  | { readonly kind: 'passphrase'; readonly passphrase: string; readonly cost?: PassphraseCost }
  | { readonly kind: 'recovery'; readonly publicKey: Uint8Array }

/** What opens it. */
export type ArchiveKey =
  | { readonly kind: 'passphrase'; readonly passphrase: string }
  | { readonly kind: 'recovery'; readonly pair: SealingKeyPair }

/** What an archive says of itself to everybody. */
export interface ArchiveAbout {
  /** ms since 1970; authenticated once it is opened. */
  readonly createdAt: number
  readonly lock: ArchiveKey['kind']
}

/** The key of one archive, and the context all its chunks are bound to. */
export interface ArchiveSeal {
  readonly key: SecretKey
  /** SHA-256 of everything in front of the first chunk. */
  readonly headHash: Uint8Array
}

/** Begins an archive with a fresh key. @throws MeshError `usage`, `unsupported`, `malformed` for a key that is none */
export async function writeHead(
  lock: ArchiveLock,
  ports: { readonly random: Random; readonly nowMs: number },
): Promise<ArchiveSeal & { readonly bytes: Uint8Array }> {
  const { random, nowMs } = ports
  const raw = random.bytes(SECRET_KEY_BYTES)
  const head: Head = { createdAt: nowMs, lock: await locked(raw, lock, random) }
  const bytes = framed(encode(head))
  return { bytes, key: await secretKey(raw), headHash: sha256(bytes) }
}

/** The length of the head that follows. @throws MeshError `malformed`, `unsupported` */
export function headLengthOf(prefix: Uint8Array): number {
  if (prefix.byteLength < PREFIX_BYTES || MAGIC.some((byte, at) => byte !== prefix[at])) {
    throw new MeshError('malformed', 'This is not an archive of Plexus.')
  }
  const [version = 0, high = 0, low = 0] = prefix.subarray(MAGIC.byteLength)
  if (version !== VERSION) throw new MeshError('unsupported', 'This archive is of a newer version of Plexus.')
  const length = high * 256 + low
  if (length > ARCHIVE_HEAD_MAX_BYTES) throw new MeshError('malformed', 'The head of this archive is damaged.')
  return length
}

/** What stands at the beginning of an archive, given at least its head. @throws MeshError `malformed`, `unsupported` */
export function aboutArchive(start: Uint8Array): ArchiveAbout {
  const { createdAt, lock } = decodeHead(start.subarray(PREFIX_BYTES, PREFIX_BYTES + headLengthOf(start)))
  return { createdAt, lock: lock.kind }
}

/** Opens what {@link writeHead} wrote. @throws MeshError `malformed`, `passphrase-wrong` */
export async function openHead(prefix: Uint8Array, encoded: Uint8Array, key: ArchiveKey): Promise<ArchiveSeal> {
  const { lock } = decodeHead(encoded)
  const raw = await unlocked(lock, key)
  const hash = sha256.create().update(prefix).update(encoded)
  return { key: await secretKey(raw), headHash: hash.digest() }
}

async function locked(raw: Uint8Array, lock: ArchiveLock, random: Random): Promise<Head['lock']> {
  if (lock.kind === 'recovery') return { kind: 'recovery', box: await sealTo(lock.publicKey, raw, CONTEXT) }
  checkPassphrase(lock.passphrase)
  const { memoryKib, passes } = lock.cost ?? PASSPHRASE_COST
  const salt = random.bytes(SALT_BYTES)
  const key = await secretKey(await passphraseToKey(lock.passphrase, salt, { memoryKib, passes }))
  return { kind: 'passphrase', salt, memoryKib, passes, box: await key.seal(raw, CONTEXT, random) }
}

async function unlocked(lock: Head['lock'], key: ArchiveKey): Promise<Uint8Array> {
  try {
    if (lock.kind === 'recovery' && key.kind === 'recovery') return await openSealed(key.pair, lock.box, CONTEXT)
    if (lock.kind === 'passphrase' && key.kind === 'passphrase') {
      const opening = await secretKey(await passphraseToKey(key.passphrase, lock.salt, lock))
      return await opening.open(lock.box, CONTEXT)
    }
  } catch (error) {
    if (!isMeshError(error, 'integrity')) throw error
    throw doesNotOpen(lock.kind, error)
  }
  throw doesNotOpen(lock.kind)
}

function doesNotOpen(kind: ArchiveKey['kind'], cause?: unknown): MeshError {
  const sentence =
    kind === 'passphrase'
      ? 'This archive opens with a passphrase, and this is not it.'
      : 'This archive opens with recovery words, and these are not they.'
  return new MeshError('passphrase-wrong', sentence, { cause })
}

function decodeHead(encoded: Uint8Array): Head {
  try {
    return decode(encoded, headSchema, { maxBytes: ARCHIVE_HEAD_MAX_BYTES, what: 'The head of the archive' })
  } catch (error) {
    throw new MeshError('malformed', `The head of this archive is damaged: ${messageOf(error)}`, { cause: error })
  }
}

function framed(encoded: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(PREFIX_BYTES + encoded.byteLength)
  bytes.set(MAGIC)
  bytes.set([VERSION, encoded.byteLength >> 8, encoded.byteLength & 0xff], MAGIC.byteLength)
  bytes.set(encoded, PREFIX_BYTES)
  return bytes
}

const CONTEXT = new TextEncoder().encode('plexus archive key v1')
