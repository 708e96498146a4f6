import {
  isMeshError,
  MeshError,
  RECOVERY_WRONG_MAX,
  RECOVERY_WRONG_MS,
  sleep,
  type Clock,
  type DeviceId,
  type Logger,
} from '../base/index.ts'
import {
  admitByRecovery,
  checkProof,
  openCertificate,
  recoveryOfKey,
  type LedgerRecovery,
  type Membership,
} from '../identity/index.ts'
import type { Recovering } from './protocols/join/join.ts'

interface RecoveryPorts {
  readonly membership: Membership
  readonly clock: Clock
  readonly log: Logger
  /** Keeps the connection of a device that comes back. */
  readonly spare: (id: DeviceId) => void
}

/** Devices that come back by recovery words, at this device. The ledger says whose words are in force. */
export function createRecoveries(ports: RecoveryPorts): Recovering {
  const { membership, clock, log } = ports
  let told = 0

  /** A key that is looked up costs nothing; the guesser waits, and few guessers at once. */
  const refuse = async (signal: AbortSignal): Promise<never> => {
    if (told >= RECOVERY_WRONG_MAX)
      throw new MeshError('busy', 'Too many wrong recovery words at once. Try again in a moment.')
    told += 1
    try {
      await sleep(clock, RECOVERY_WRONG_MS, { signal })
    } finally {
      told -= 1
    }
    throw unknown()
  }

  const inForce = (key: Uint8Array): LedgerRecovery => {
    const found = recoveryOfKey(membership.state(), key)
    if (found === undefined) throw unknown()
    return found
  }

  return {
    async meshOf(key, { signal }) {
      if (membership.standing() === 'removed')
        throw new MeshError('removed', 'This device was removed from its mesh and can bring nobody back.')
      if (recoveryOfKey(membership.state(), key) === undefined) await refuse(signal)
      return membership.ledger().mesh
    },
    async bringBack({ device, certificate, key, proof }, { signal }) {
      if ((await openCertificate(certificate)).device !== device)
        throw new MeshError('refused', 'This certificate is of another device.', { fault: 'peer' })
      const ledger = membership.ledger()
      await checkProof(key, proof, ledger.mesh, certificate)
      // not before the proof: it may have been replaced meanwhile
      const recovery = inForce(key)
      ports.spare(device)
      const known = membership.admitted(device)
      if (known !== undefined && known.person !== recovery.person)
        throw new MeshError('conflict', 'This device belongs to another person of this mesh.')
      // again, because its answer was lost: nothing to write
      if (known === undefined) await admit(admitByRecovery(recovery, proof, certificate), signal)
      return ledger.missingFor([])
    },
  }

  async function admit(draft: ReturnType<typeof admitByRecovery>, signal: AbortSignal): Promise<void> {
    try {
      await membership.ledger().append(draft, { signal })
    } catch (error) {
      if (!isMeshError(error, 'unauthorized')) throw error
      const sentence = 'This device may let nobody in. Reach another device of yours, or one of an owner or member.'
      throw new MeshError('unauthorized', sentence, { cause: error })
    }
    log.info('a device came back by recovery words', { person: draft.person })
  }
}

function unknown(): MeshError {
  return new MeshError(
    'recovery-unknown',
    'These words bring nobody back here: they were replaced, or belong to another mesh.',
  )
}
