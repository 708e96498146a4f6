import {
  isMeshError,
  MeshError,
  type Clock,
  type Logger,
  type PlatformStore,
  type Random,
} from '../../mesh/base/index.ts'
import { openVault, type DeviceKeeper, type LockedVault, type OpenVault } from '../../mesh/seal/index.ts'
import type { Passphrases } from './passphrases.ts'

/** What opening the data of a helper needs. */
export interface OpenDataPorts {
  readonly inner: PlatformStore
  readonly device: DeviceKeeper
  readonly random: Random
  readonly clock: Clock
  readonly passphrases: Passphrases
  readonly log?: Logger | undefined
}

/**
 * Opens the sealed store of this helper, with a passphrase where a lock was set.
 * @throws MeshError `locked` when nobody is there to ask, `passphrase-wrong`, `config-invalid`,
 * `storage-corrupt`
 */
export async function openData(ports: OpenDataPorts, options: { readonly signal: AbortSignal }): Promise<OpenVault> {
  // the lock of the data directory makes this process the only one
  const vault = await openVault({ ...ports, alone: (work) => work() }, options)
  return vault.state === 'open' ? vault : unlock(vault, ports.passphrases, options)
}

async function unlock(
  vault: LockedVault,
  passphrases: Passphrases,
  options: { readonly signal: AbortSignal },
): Promise<OpenVault> {
  let refusal = isLocked()
  for (let attempt = 0; ; attempt++) {
    const passphrase = await passphrases.next(attempt, options)
    if (passphrase === undefined) throw refusal
    try {
      const opened = await vault.unlock({ kind: 'passphrase', passphrase }, options)
      passphrases.remember(passphrase)
      return opened
    } catch (error) {
      if (!isMeshError(error, 'passphrase-wrong')) throw error
      refusal = error
    }
  }
}

function isLocked(): MeshError {
  return new MeshError(
    'locked',
    'The data of this helper is locked by a passphrase. Start it at a terminal, or name a file that holds the passphrase with PLEXUS_PASSPHRASE_FILE.',
  )
}
