import {
  createEvents,
  deadline,
  isMeshError,
  MeshError,
  PENDING_JOIN_MS,
  PENDING_JOINS_MAX,
  type Clock,
  type DeviceId,
  type EventSource,
  type InvitationId,
  type Logger,
  type PersonId,
  type Random,
} from '../base/index.ts'
import {
  admitByInvitation,
  checkInvitation,
  comparePictures,
  NONCE_BYTES,
  openCertificate,
  personIdOfDevice,
  type EarlierLists,
  type LedgerInvitation,
  type Membership,
  type Role,
  type SignedCertificate,
} from '../identity/index.ts'
import type { PendingProof } from './protocols/control/messages.ts'
import type { Admission, ProofGiven } from './protocols/join/join.ts'
import { isRelayed } from './stream.ts'

/** A device that proved an invitation and whose pictures wait for a person. */
export interface Waiting {
  readonly invitation: InvitationId
  /** Whose devices may confirm it: the person who invited. */
  readonly inviter: PersonId
  readonly device: DeviceId
  readonly name: string
  readonly kind: 'helper' | 'browser'
  /** Name of the new person it comes as; empty: a further device of the inviter's. */
  readonly person: string
  readonly role: Role
  readonly pictures: readonly string[]
  readonly path: 'direct' | 'relayed'
  /** What another device of the inviter needs to judge and to admit it by itself. */
  readonly proof: PendingProof
}

/** Admission of devices that come with an invitation, at this device or at another one of the same person. */
export interface Admissions extends Admission {
  readonly changes: EventSource<{ readonly waiting: Waiting; readonly outcome: 'waiting' | 'admitted' | 'refused' }>
  /** Everyone who waits, here or at another device of the mesh. */
  waiting(): readonly Waiting[]
  /** Those that have this very device on their line, for other devices of one inviter. */
  waitingHere(inviter: PersonId): readonly PendingProof[]
  /**
   * Takes in what another device of the mesh says is waiting there; all it says is proven anew here.
   * What it no longer names is not waiting any more.
   */
  hear(from: DeviceId, proofs: readonly PendingProof[]): Promise<void>
  /** A person's word. @throws MeshError `invitation-unknown` when nobody waits with it, and those of the ledger */
  settle(invitation: InvitationId, admit: boolean, options?: Cancellable): Promise<void>
}

interface Cancellable {
  readonly signal?: AbortSignal | undefined
}

interface AdmissionPorts {
  readonly membership: Membership
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
  /** Keeps the connection of a device that waits. */
  readonly spare: (id: DeviceId) => void
  /** Who was on this device's list before there was a ledger. */
  readonly earlier: EarlierLists
}

interface Entry {
  readonly waiting: Waiting
  /** The device that has the joiner on its line; undefined: this one. */
  readonly at: DeviceId | undefined
  readonly end: (outcome: 'admitted' | 'refused' | 'gone') => void
}

/** Proof, then perhaps people, then the ledger. */
export function createAdmissions(ports: AdmissionPorts): Admissions {
  const { membership, clock, random, log } = ports
  const entries = new Map<InvitationId, Entry>()
  const changes = createEvents<{ waiting: Waiting; outcome: 'waiting' | 'admitted' | 'refused' }>((error) => {
    log.error('a listener of admissions failed', { error })
  })

  const invitationOf = async (
    given: Pick<ProofGiven, 'invitation' | 'proof' | 'device'> & { readonly certificate: SignedCertificate },
  ): Promise<LedgerInvitation> => {
    const certificate = await openCertificate(given.certificate)
    if (certificate.device !== given.device)
      throw new MeshError('refused', 'This certificate is of another device.', { fault: 'peer' })
    const ledger = membership.ledger()
    const { invitation, proof } = given
    const made = ledger.state().invitations.get(invitation)
    const seenAt = made === undefined ? undefined : ledger.receivedAt(made.entry)
    return checkInvitation(ledger.state(), invitation, proof, given.certificate, { now: clock.now(), seenAt })
  }

  const admitNow = async (
    proof: Pick<PendingProof, 'proof' | 'certificate'>,
    invitation: LedgerInvitation,
    options: Cancellable,
  ): Promise<void> => {
    try {
      await membership.ledger().append(admitByInvitation(invitation, proof.proof, proof.certificate), options)
    } catch (error) {
      // somebody was faster, or it was used before: the ledger is the one that counts uses
      if (!isMeshError(error, 'conflict')) throw error
      throw new MeshError('invitation-used', 'This invitation was already used. Ask for a new link.', { cause: error })
    }
    log.info('a device was admitted', { invitation: invitation.id })
  }

  const isIn = (id: DeviceId): boolean => membership.admitted(id) !== undefined

  const put = (waiting: Waiting, at: DeviceId | undefined, ended: (outcome: string) => void): void => {
    // the same device tries again, its first link may be dead: what a person confirms is the newest try
    entries.get(waiting.invitation)?.end('gone')
    const entry: Entry = {
      waiting,
      at,
      end(outcome) {
        if (entries.get(waiting.invitation) !== entry) return
        entries.delete(waiting.invitation)
        changes.emit({ waiting, outcome: outcome === 'admitted' ? 'admitted' : 'refused' })
        ended(outcome)
      },
    }
    entries.set(waiting.invitation, entry)
    changes.emit({ waiting, outcome: 'waiting' })
  }

  // the ledger decides: whichever device wrote it down
  membership.changes.subscribe(() => {
    const { invitations } = membership.state()
    for (const { waiting, end } of [...entries.values()]) {
      const known = invitations.get(waiting.invitation)
      if (isIn(waiting.device)) end('admitted')
      else if (known === undefined || known.state !== 'open') end('refused')
    }
  })

  const waitingOf = async (proof: PendingProof, invitation: LedgerInvitation): Promise<Waiting> => {
    const { device, name, kind } = await openCertificate(proof.certificate)
    return {
      invitation: invitation.id,
      inviter: invitation.madeByPerson,
      ...{ device, name, kind },
      person: invitation.personName ?? '',
      role: invitation.role,
      pictures: comparePictures(invitation.madeBy, device, proof.nonce),
      path: proof.path,
      proof,
    }
  }

  /** Resolves once a person, here or at another device, said yes; throws for anything else. */
  const confirmed = async (
    given: ProofGiven,
    invitation: LedgerInvitation,
    { compare, signal }: Parameters<Admission['admit']>[1],
  ): Promise<void> => {
    const before = entries.get(invitation.id)
    if (before !== undefined && before.waiting.device !== given.device)
      throw new MeshError('invitation-used', 'Another device is using this invitation. Ask for a new link.')
    if (entries.size >= PENDING_JOINS_MAX && before === undefined)
      throw new MeshError('busy', 'Several devices are joining at once. Try again in a minute.')
    const proof: PendingProof = {
      invitation: invitation.id,
      certificate: given.certificate,
      proof: given.proof,
      nonce: random.bytes(NONCE_BYTES),
      path: isRelayed(given.connection) ? 'relayed' : 'direct',
    }
    const waiting = await waitingOf(proof, invitation)
    await compare(proof.nonce)
    ports.spare(given.device)
    const limit = deadline(clock, PENDING_JOIN_MS, 'Comparing the pictures', signal)
    try {
      await new Promise<void>((resolve, reject) => {
        put(waiting, undefined, (outcome) => {
          if (outcome === 'admitted') resolve()
          else {
            const sentence = 'The pictures were not confirmed on the other device. Ask for a new invitation.'
            reject(new MeshError('refused', sentence))
          }
        })
        const leave = (): void => {
          entries.get(invitation.id)?.end('gone')
        }
        limit.signal.addEventListener('abort', leave, { once: true })
        if (limit.signal.aborted) leave()
      })
    } finally {
      limit.clear()
    }
  }

  return {
    changes,
    waiting: () => [...entries.values()].map((entry) => entry.waiting),
    waitingHere: (inviter) =>
      [...entries.values()].flatMap(({ waiting, at }) =>
        at === undefined && waiting.inviter === inviter ? [waiting.proof] : [],
      ),
    async hear(from, proofs) {
      for (const { at, waiting, end } of [...entries.values()]) {
        if (at === from && !proofs.some((proof) => proof.invitation === waiting.invitation)) end('gone')
      }
      for (const proof of proofs) {
        try {
          const { device } = await openCertificate(proof.certificate)
          const invitation = await invitationOf({ ...proof, device })
          const waiting = await waitingOf(proof, invitation)
          const before = entries.get(waiting.invitation)
          // the same joiner on a new try has new pictures; another joiner has to wait for this one
          const isSame = before?.waiting.pictures.join() === waiting.pictures.join()
          const isOther = before !== undefined && before.waiting.device !== device
          if (isSame || isOther || isIn(device)) continue
          if (entries.size < PENDING_JOINS_MAX) put(waiting, from, () => undefined)
        } catch (error) {
          log.warn('a join that waits at another device was not believed', { from, error })
        }
      }
    },
    async settle(invitation, admit, options = {}) {
      const entry = entries.get(invitation)
      const known = membership.state().invitations.get(invitation)
      if (entry === undefined || known === undefined)
        throw new MeshError('invitation-unknown', 'No device is waiting with this invitation any more.')
      if (admit) await admitNow(entry.waiting.proof, known, options)
      // a person's no is for good: else the joiner could ask until somebody says yes by mistake
      else await membership.ledger().append({ type: 'invite-revoked', id: invitation }, options)
    },
    async admit(given, options) {
      const invitation = await invitationOf(given)
      // a device of this mesh already: nothing to use up
      if (!isIn(given.device)) {
        if (invitation.confirmation === 'pictures') await confirmed(given, invitation, options)
        else await admitNow(given, invitation, options)
      }
      if (!isIn(given.device))
        throw new MeshError('refused', 'The device that made this invitation was removed. Ask for a new link.')
      return membership.ledger().missingFor([])
    },
    async readmit(device, certificate, options) {
      const known = ports.earlier.admitted(device)
      const own = membership.admitted(membership.self)
      if (membership.wasRemoved(device)) throw new MeshError('removed', 'This device was removed from the mesh.')
      if (!isIn(device)) {
        if (known === undefined || own === undefined)
          throw new MeshError('not-admitted', 'This device is not part of this mesh. Ask its owner for an invitation.')
        if ((await openCertificate(certificate)).device !== device)
          throw new MeshError('refused', 'This certificate is of another device.', { fault: 'peer' })
        const isOwn = known.person === ''
        await membership.ledger().append(
          {
            type: 'admit',
            certificate,
            person: isOwn ? own.person : personIdOfDevice(device),
            ...(isOwn ? {} : { newPerson: { name: known.person, role: 'member' as const } }),
          },
          options,
        )
        log.info('a device of the list of version 0.1 is in the ledger now', { device })
      }
      return membership.ledger().missingFor([])
    },
  }
}
