import { MeshError, type Random, type Store } from '../base/index.ts'
import { createSealingKeyPair, SEALING_KEY_BYTES, sealingKeyPairOf, type SealingKeyPair } from '../seal/index.ts'

const KEY = 'identity/sealing-key'

/**
 * This device's X25519 key, that others seal to: read from the store, or made there
 * at first start.
 * @throws MeshError `storage-corrupt` when what is stored is no such key, and of the store
 */
export async function loadSealingKey(
  store: Store,
  random: Random,
  options: { signal?: AbortSignal | undefined } = {},
): Promise<SealingKeyPair> {
  const stored = await store.get(KEY, options)
  if (stored === undefined) {
    const pair = createSealingKeyPair(random)
    await store.put(KEY, pair.privateKey, options)
    return pair
  }
  if (stored.byteLength !== SEALING_KEY_BYTES)
    throw new MeshError('storage-corrupt', 'The key that others seal to for this device cannot be read.')
  return sealingKeyPairOf(stored)
}
