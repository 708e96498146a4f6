/**
 * Secrets: symmetric boxes, sealing to a device's key. Promises that nothing opens
 * with another key or another context than it was sealed with. Knows no device,
 * no protocol and no store.
 */
export { BOX_OVERHEAD_BYTES, cryptoKey, SECRET_KEY_BYTES, secretKey, type PlatformKey, type SecretKey } from './aead.ts'
export { digest } from './digest.ts'
export {
  createSealingKeyPair,
  openSealed,
  SEALED_OVERHEAD_BYTES,
  SEALING_KEY_BYTES,
  sealingKeyPairOf,
  sealTo,
  type SealingKeyPair,
} from './hpke.ts'
