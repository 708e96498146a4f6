import type { PageLock, PageUnlock } from '../../../app/lock/index.ts'
import { createEvents, MeshError } from '../../../mesh/base/index.ts'
import type { LockView } from '../../../mesh/seal/index.ts'

/** The passphrase of every locked scene. */
export const PASSPHRASE = 'a heron in the rain'

/** The locks of a scene; passkeys are made without asking anybody. */
export function createFakeLock(first: readonly LockView[]): PageLock {
  let locks = first
  const changes = createEvents<void>((error) => {
    console.error(error)
  })
  const set = (next: readonly LockView[]): Promise<void> => {
    locks = next
    changes.emit()
    return Promise.resolve()
  }
  return {
    changes,
    locks: () => Promise.resolve(locks),
    offersPasskey: () => Promise.resolve(true),
    setPassphrase: () =>
      set([
        ...locks.filter((lock) => lock.kind !== 'passphrase'),
        { id: 'new', kind: 'passphrase', name: '', createdAt: Date.now() },
      ]),
    addPasskey: (name) => set([...locks, { id: name, kind: 'passkey', name, createdAt: Date.now() }]),
    removeLock: (id) => set(locks.filter((lock) => lock.id !== id)),
  }
}

/** The way into a locked scene. */
export interface FakeUnlock extends PageUnlock {
  readonly opened: Promise<void>
}

/** Opens with {@link PASSPHRASE}, or any passkey; the second wrong try makes one wait. */
export function createFakeUnlock(locks: readonly LockView[], firstWaitMs: number): FakeUnlock {
  const { promise, resolve } = Promise.withResolvers<undefined>()
  let waitUntil = Date.now() + firstWaitMs
  let wrong = 0
  return {
    opened: promise,
    locks,
    waitMs: () => Promise.resolve(Math.max(0, waitUntil - Date.now())),
    byPassphrase(passphrase) {
      if (passphrase === PASSPHRASE) {
        resolve(undefined)
        return Promise.resolve()
      }
      wrong += 1
      if (wrong > 1) waitUntil = Date.now() + 2_000
      return Promise.reject(new MeshError('passphrase-wrong', 'This is not the passphrase.'))
    },
    byPasskey() {
      resolve(undefined)
      return Promise.resolve()
    },
  }
}
