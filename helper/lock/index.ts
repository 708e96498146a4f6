/**
 * The lock of a helper's data: where the passphrase comes from and when it is asked.
 * Promises that a passphrase is never written or logged. Knows nothing of commands.
 */
export { openData, type OpenDataPorts } from './open-data.ts'
export { createPassphrases, readPassphrase, type Passphrases, type PassphrasesOptions } from './passphrases.ts'
