import { getTwice, MeshError, putTwice, silentLogger, type Logger, type Random, type Store } from '../base/index.ts'
import { createSealingKeyPair, SEALING_KEY_BYTES, sealingKeyPairOf, type SealingKeyPair } from '../seal/index.ts'
import { keyOfDevice } from './device-key.ts'

const KEY = 'identity/sealing-key'

/**
 * This device's X25519 key, that others seal to: read from the store, where it is kept
 * twice, or made there at first start.
 * @throws MeshError `storage-corrupt` when what is stored is no such key, and of the store
 */
export async function loadSealingKey(
  store: Store,
  random: Random,
  { log = silentLogger, signal }: { readonly log?: Logger; readonly signal?: AbortSignal | undefined } = {},
): Promise<SealingKeyPair> {
  const stored = await keyOfDevice(getTwice(store, KEY, log, { signal }))
  if (stored === undefined) {
    const pair = createSealingKeyPair(random)
    await putTwice(store, KEY, pair.privateKey, log, { signal })
    return pair
  }
  if (stored.byteLength !== SEALING_KEY_BYTES)
    throw new MeshError('storage-corrupt', 'The key that others seal to for this device cannot be read.')
  return sealingKeyPairOf(stored)
}
