import {
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
  authorize,
  checkConsent,
  checkProof,
  openCertificate,
  openEntry,
  recoveryOfKey,
  type LedgerRecovery,
  type Membership,
  type SignedConsent,
} from '../identity/index.ts'
import type { Recovering } from './protocols/join/join.ts'

interface RecoveryPorts {
  readonly membership: Membership
  readonly clock: Clock
  readonly log: Logger
  /** Keeps the connection of a device that comes back, until the returned function is called. */
  readonly spare: (id: DeviceId) => () => void
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
    async bringBack({ device, certificate, key, proof, consent: signature }, { write, signal }) {
      if ((await openCertificate(certificate)).device !== device)
        throw new MeshError('refused', 'This certificate is of another device.', { fault: 'peer' })
      const ledger = membership.ledger()
      await checkProof(key, proof, ledger.mesh, certificate)
      const consent: SignedConsent = { terms: { by: 'recovery' }, signature }
      await checkConsent(device, consent, { mesh: ledger.mesh, key, certificate })
      // not before the proof: it may have been replaced meanwhile
      const recovery = inForce(key)
      const admitted = membership.admitted(device)
      // a claim of somebody is nothing that this device said
      const known = admitted?.consented === true || admitted?.person === recovery.person ? admitted : undefined
      if (known !== undefined && known.person !== recovery.person)
        throw new MeshError('conflict', 'This device belongs to another person of this mesh.')
      // again, because its answer was lost: nothing to write
      if (known === undefined) await writeDown({ device, certificate, proof, consent }, recovery, write, signal)
      return ledger.missingFor([])
    },
  }

  async function writeDown(
    given: Pick<Parameters<Recovering['bringBack']>[0], 'device' | 'certificate' | 'proof'> & {
      readonly consent: SignedConsent
    },
    recovery: LedgerRecovery,
    write: Parameters<Recovering['bringBack']>[1]['write'],
    signal: AbortSignal,
  ): Promise<void> {
    const { device, certificate, proof, consent } = given
    const release = ports.spare(device)
    try {
      const mayAdmit = authorize(membership.subject(membership.self), 'admit-proven', 'recovery').allowed
      if (mayAdmit) await membership.ledger().append(admitByRecovery(recovery, proof, certificate, consent), { signal })
      else await takeOwn(device, recovery, write, signal)
      log.info('a device came back by recovery words', { person: recovery.person, device })
    } finally {
      release()
    }
  }

  /** A helper that may admit nobody keeps the door open all the same: the words are right enough. */
  async function takeOwn(
    device: DeviceId,
    recovery: LedgerRecovery,
    write: Parameters<Recovering['bringBack']>[1]['write'],
    signal: AbortSignal,
  ): Promise<void> {
    const ledger = membership.ledger()
    // the deepest: branches at early places, made by somebody, hide nothing of what came since
    const heads = ledger.nextParents()
    const bytes = await write(recovery.person, heads)
    const { author, fields, parents } = await openEntry(bytes, ledger.mesh)
    // linking older entries it would be senior to who came after them
    const isLate = parents.length === heads.length && heads.every((head) => parents.includes(head))
    const isOwn = author === device && fields.type === 'admit' && fields.person === recovery.person
    if (!isLate || !isOwn || fields.recovery === undefined)
      throw new MeshError('refused', 'This is not the entry that brings this device back.', { fault: 'peer' })
    await ledger.take([bytes], { signal })
    if (membership.admitted(device)?.person !== recovery.person) throw unknown()
  }
}

function unknown(): MeshError {
  return new MeshError(
    'recovery-unknown',
    'These words bring nobody back here: they were replaced, or belong to another mesh.',
  )
}
