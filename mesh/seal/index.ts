/**
 * Secrets: symmetric boxes, sealing to a device's key, the sealed store and the ways
 * to open it. Promises that nothing opens with another key or another context than it
 * was sealed with, and that no store is ever left without a way to open it. Knows no
 * device, no protocol and no platform.
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
export { createVerifier, verifyPortably, type Verifier } from './signatures.ts'
export { aboutArchive, type ArchiveAbout, type ArchiveKey, type ArchiveLock } from './archive-head.ts'
export { openArchive, sealArchive, type ArchiveRecord } from './archive.ts'
export { PRF_BYTES, type PasskeyAnswer, type UnlockSecret } from './key-slots.ts'
export { PASSPHRASE_COST, type PassphraseCost } from './passphrase.ts'
export { createSealedStore } from './sealed-store.ts'
export {
  openVault,
  type DeviceKeeper,
  type LockedVault,
  type LockView,
  type OpenVault,
  type VaultPorts,
} from './vault.ts'
export {
  createRecoverySecret,
  RECOVERY_SECRET_BYTES,
  recoveryKeys,
  secretToWords,
  wordsToSecret,
  type RecoveryKeys,
} from './recovery.ts'
export {
  combineShares,
  readShare,
  secretOf,
  SHARES,
  SHARES_NEEDED,
  splitSecret,
  type RecoveryShare,
} from './recovery-shares.ts'
