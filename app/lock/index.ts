/**
 * What locks the data of this page: passphrase and passkeys over the vault. Promises
 * that no secret outlives the call it was given to. Must not know screens.
 */
export { createPageLock, createPageUnlock, type PageLock, type PageLockPorts, type PageUnlock } from './page-lock.ts'
export { type PasskeyAnswered, type PasskeyAsked, type PasskeyPort } from './passkeys.ts'
