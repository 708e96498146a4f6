import { hkdf } from '@noble/hashes/hkdf.js'
import { sha256 } from '@noble/hashes/sha2.js'
import { MeshError, type MeshId } from '../base/index.ts'
import { openSealed, SECRET_KEY_BYTES, sealTo, type SealingKeyPair } from '../seal/index.ts'
import type { Recipient, ScopeId } from './ledger/index.ts'

const text = new TextEncoder()

/** What a box of keys is for: authenticated, so that no box passes for another. */
export interface BoxPlace {
  readonly mesh: MeshId
  readonly scope: ScopeId
  readonly to: Recipient
  /** The generation of a rotation, or the epochs of a share in their order. */
  readonly what: number | readonly string[]
}

/** Seals keys, one behind the other, to a recipient. @throws MeshError `malformed` for a key nobody can seal to */
export function sealKeys(publicKey: Uint8Array, keys: readonly Uint8Array[], place: BoxPlace): Promise<Uint8Array> {
  const plain = new Uint8Array(keys.length * SECRET_KEY_BYTES)
  keys.forEach((key, index) => {
    plain.set(key, index * SECRET_KEY_BYTES)
  })
  return sealTo(publicKey, plain, infoOf(place))
}

/** The keys of a box. @throws MeshError `integrity` when it is not for this pair and place, or holds another count of keys */
export async function openKeys(
  pair: SealingKeyPair,
  box: Uint8Array,
  place: BoxPlace,
  count: number,
): Promise<Uint8Array[]> {
  const plain = await openSealed(pair, box, infoOf(place))
  if (plain.byteLength !== count * SECRET_KEY_BYTES)
    throw new MeshError('integrity', 'A box of keys holds another number of keys than it says.')
  return Array.from({ length: count }, (_, index) =>
    plain.slice(index * SECRET_KEY_BYTES, (index + 1) * SECRET_KEY_BYTES),
  )
}

/** What a rotation publishes of its key: whoever is given another key under its name sees it. Says nothing about the key. */
export function keyCheck(key: Uint8Array): Uint8Array {
  const context = text.encode('plexus epoch check 1\n')
  const message = new Uint8Array(context.byteLength + key.byteLength)
  message.set(context)
  message.set(key, context.byteLength)
  return sha256(message)
}

/** What devices that hold a key recognise each other by: says nothing about the key, and means nothing without it. */
export function recognitionTag(key: Uint8Array): Uint8Array {
  return hkdf(sha256, key, undefined, text.encode('plexus mdns tag v1'), SECRET_KEY_BYTES)
}

function infoOf({ mesh, scope, to, what }: BoxPlace): Uint8Array {
  const purpose = typeof what === 'number' ? `rotate\n${String(what)}` : `share\n${what.join('\n')}`
  return text.encode(`plexus epoch key 1\n${mesh}\n${scope}\n${to}\n${purpose}`)
}
