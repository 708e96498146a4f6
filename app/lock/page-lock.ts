import { createEvents, MeshError, type EventSource, type Logger, type Random } from '../../mesh/base/index.ts'
import { PRF_BYTES, type LockedVault, type LockView, type OpenVault } from '../../mesh/seal/index.ts'
import type { PasskeyPort } from './passkeys.ts'

interface Options {
  readonly signal?: AbortSignal | undefined
}

/** What opens the data of this page, as its settings show and change it. */
export interface PageLock {
  readonly changes: EventSource<void>
  /** Every lock; none: this browser opens it by itself. */
  locks(options?: Options): Promise<readonly LockView[]>
  offersPasskey(): Promise<boolean>
  /** @throws MeshError `usage`, `unsupported` */
  setPassphrase(passphrase: string, options?: Options): Promise<void>
  /** Makes a passkey and lets it open the data. @throws MeshError `unsupported`, `aborted`, `conflict` */
  addPasskey(name: string, options?: Options): Promise<void>
  removeLock(id: string, options?: Options): Promise<void>
}

/** What a locked page can do. */
export interface PageUnlock {
  readonly locks: readonly LockView[]
  /** How long until the next try is let, in ms. */
  waitMs(options?: Options): Promise<number>
  /** @throws MeshError `passphrase-wrong`, `locked` */
  byPassphrase(passphrase: string, options?: Options): Promise<void>
  /** @throws MeshError `passphrase-wrong`, `locked`, `unsupported`, `aborted` */
  byPasskey(options?: Options): Promise<void>
}

/** What a page's locks stand on. */
export interface PageLockPorts {
  readonly passkeys: PasskeyPort
  readonly random: Random
  readonly log: Logger
}

/** The locks of an open vault. */
export function createPageLock(vault: OpenVault, ports: PageLockPorts): PageLock {
  const { passkeys, random } = ports
  const changes = createEvents<void>((error) => {
    ports.log.error('a listener failed', { error })
  })
  const changed = async (change: Promise<void>): Promise<void> => {
    try {
      await change
    } finally {
      changes.emit()
    }
  }
  return {
    changes,
    locks: (options) => vault.locks(options),
    offersPasskey: () => passkeys.isOffered(),
    setPassphrase: (passphrase, options) => changed(vault.setPassphrase(passphrase, options)),
    async addPasskey(name, options = {}) {
      const salt = random.bytes(PRF_BYTES)
      const answered = await passkeys.make(salt, options)
      await changed(vault.addPasskey({ name, salt, ...answered }, options))
    },
    removeLock: (id, options) => changed(vault.removeLock(id, options)),
  }
}

/** The ways into a locked vault; `onOpen` gets it once one of them worked. */
export function createPageUnlock(
  vault: LockedVault,
  passkeys: PasskeyPort,
  onOpen: (opened: OpenVault) => void,
): PageUnlock {
  return {
    locks: vault.locks,
    waitMs: (options) => vault.waitMs(options),
    async byPassphrase(passphrase, options) {
      onOpen(await vault.unlock({ kind: 'passphrase', passphrase }, options))
    },
    async byPasskey(options = {}) {
      const known = vault.locks.flatMap((lock) =>
        lock.passkey === undefined ? [] : [{ id: lock.id, ...lock.passkey }],
      )
      const { credential, prf } = await passkeys.ask(known, options)
      const lock = known.find((entry) => isSame(entry.credential, credential))
      if (lock === undefined)
        throw new MeshError('passphrase-wrong', 'This passkey does not open the data of this device.')
      onOpen(await vault.unlock({ kind: 'passkey', slot: lock.id, prf }, options))
    },
  }
}

function isSame(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, at) => byte === b[at])
}
