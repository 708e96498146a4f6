import { generateKeyPairFromSeed, privateKeyFromProtobuf, privateKeyToProtobuf } from '@libp2p/crypto/keys'
import type { Ed25519PrivateKey } from '@libp2p/interface'
import { peerIdFromPrivateKey, peerIdFromString } from '@libp2p/peer-id'
import {
  asId,
  getTwice,
  isMeshError,
  MeshError,
  putTwice,
  silentLogger,
  type DeviceId,
  type Logger,
  type Random,
  type Store,
} from '../base/index.ts'

const KEY = 'identity/key'

/** The key pair a device is known by, and the id made from it. */
export interface DeviceKey {
  readonly id: DeviceId
  readonly privateKey: Ed25519PrivateKey
  sign(message: Uint8Array, options?: { signal?: AbortSignal | undefined }): Promise<Uint8Array>
}

/**
 * This device's Ed25519 key: read from the store, where it is kept twice, or made there
 * at first start.
 * @throws MeshError `storage-corrupt` when what is stored is no such key; it is
 * never replaced silently, because a new key would be another device.
 */
export async function loadDeviceKey(
  store: Store,
  random: Random,
  { log = silentLogger, signal }: { readonly log?: Logger; readonly signal?: AbortSignal | undefined } = {},
): Promise<DeviceKey> {
  const stored = await keyOfDevice(getTwice(store, KEY, log, { signal }))
  if (stored !== undefined) return deviceKeyFrom(readKey(stored))
  const privateKey = await generateKeyPairFromSeed('Ed25519', random.bytes(32))
  await putTwice(store, KEY, privateKeyToProtobuf(privateKey), log, { signal })
  return deviceKeyFrom(privateKey)
}

/** True when `signature` over `message` was made by the device `id`. */
export async function verifyBy(id: DeviceId, message: Uint8Array, signature: Uint8Array): Promise<boolean> {
  const peer = peerIdFromString(id)
  if (peer.type !== 'Ed25519') return false
  return peer.publicKey.verify(message, signature)
}

/** True for a text that is the peer id of an Ed25519 key. */
export function isDeviceId(value: string): value is DeviceId {
  try {
    return peerIdFromString(value).type === 'Ed25519'
  } catch {
    // not a peer id at all: that is the answer, not a failure
    return false
  }
}

/** What reading a key of this device gives, with a sentence for who finds it damaged. */
export async function keyOfDevice<Value>(reading: Promise<Value>): Promise<Value> {
  try {
    return await reading
  } catch (error) {
    if (!isMeshError(error, 'storage-corrupt')) throw error
    throw keyDamaged(error)
  }
}

function keyDamaged(cause?: unknown): MeshError {
  const sentence =
    'The key that this device is known by is damaged, in both places where it is stored. The other devices have what they shared with this one. Remove this device on one of them, move its data away, and join anew.'
  return new MeshError('storage-corrupt', sentence, { cause })
}

function readKey(stored: Uint8Array): Ed25519PrivateKey {
  try {
    const key = privateKeyFromProtobuf(stored)
    if (key.type === 'Ed25519') return key
  } catch (error) {
    throw keyDamaged(error)
  }
  throw keyDamaged()
}

function deviceKeyFrom(privateKey: Ed25519PrivateKey): DeviceKey {
  return {
    id: asId<DeviceId>(peerIdFromPrivateKey(privateKey).toString()),
    privateKey,
    async sign(message) {
      return privateKey.sign(message)
    },
  }
}
