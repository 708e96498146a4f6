import {
  createEvents,
  deadline,
  isMeshError,
  MeshError,
  PENDING_JOIN_MS,
  PENDING_JOINS_MAX,
  PICTURE_TRIES_MAX,
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
  authorize,
  certificateHash,
  checkInvitation,
  commitmentOf,
  comparePictures,
  equalBytes,
  NONCE_BYTES,
  openCertificate,
  personIdOfDevice,
  type Certificate,
  type Comparison,
  type EarlierLists,
  type LedgerInvitation,
  type Membership,
  type Role,
  type SignedCertificate,
} from '../identity/index.ts'
import type { ComparedThere, Comparing } from './protocols/compare/compare.ts'
import type { JoinerExchanged, JoinerWaits } from './protocols/compare/messages.ts'
import type { Admission, PicturesAtDoor, ProofGiven } from './protocols/join/join.ts'
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
  /** What the other devices of the inviter's person need to show the same, and to admit it by themselves. */
  readonly exchanged: Omit<JoinerExchanged, 'type'>
}

/** Admission of devices that come with an invitation, at this device or at another one of the same person. */
export interface Admissions extends Admission, Comparing {
  readonly changes: EventSource<{ readonly waiting: Waiting; readonly outcome: 'waiting' | 'admitted' | 'refused' }>
  /** Everyone who waits, here or at another device of the mesh. */
  waiting(): readonly Waiting[]
  /** Those of this person whose pictures were made here, for the person's other devices. */
  comparedHere(): readonly Waiting[]
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
  readonly spare: (id: DeviceId) => () => void
  /** Who was on this device's list before there was a ledger. */
  readonly earlier: EarlierLists
  /**
   * Has a device of the inviter's person compare; waits until one is there.
   * @throws MeshError `aborted`, and what that device told
   */
  readonly compareAt: (
    invitation: LedgerInvitation,
    joiner: Omit<JoinerWaits, 'type'>,
    options: { readonly signal: AbortSignal },
  ) => Promise<ComparedThere>
}

/** How a join that waited ended. `gone`: nobody is on the line any more, or nobody compares. */
type Outcome = 'admitted' | 'refused' | 'gone'

interface Entry {
  readonly waiting: Waiting
  /** Where its pictures were made: here, at another device of this person, or at the inviter's for another person's. */
  readonly compared: 'here' | 'own-device' | 'other-device'
  readonly end: (outcome: Outcome) => void
}

/** What a proof says, checked. */
interface Proven {
  readonly invitation: LedgerInvitation
  readonly certificate: Certificate
  readonly comparison: Comparison
}

interface Numbers {
  readonly joinerNonce: Uint8Array
  readonly inviterNonce: Uint8Array
}

/** Proof, then perhaps people, then the ledger. */
export function createAdmissions(ports: AdmissionPorts): Admissions {
  const { membership, clock, random, log } = ports
  const entries = new Map<InvitationId, Entry>()
  /** Joiners that exchange numbers now. */
  const starting = new Map<InvitationId, DeviceId>()
  /** How often pictures were made for an invitation: each is a guess of somebody who is in between. */
  const tries = new Map<InvitationId, number>()
  const changes = createEvents<{ waiting: Waiting; outcome: 'waiting' | 'admitted' | 'refused' }>((error) => {
    log.error('a listener of admissions failed', { error })
  })

  const isIn = (id: DeviceId): boolean => membership.admitted(id) !== undefined
  const ownPerson = (): PersonId | undefined => membership.admitted(membership.self)?.person

  const proven = async (
    given: Pick<ProofGiven, 'invitation' | 'proof' | 'certificate'>,
    device?: DeviceId,
  ): Promise<Proven> => {
    const certificate = await openCertificate(given.certificate)
    if (device !== undefined && certificate.device !== device)
      throw new MeshError('refused', 'This certificate is of another device.', { fault: 'peer' })
    const ledger = membership.ledger()
    const made = ledger.state().invitations.get(given.invitation)
    const seenAt = made === undefined ? undefined : ledger.receivedAt(made.entry)
    const time = { now: clock.now(), seenAt }
    const invitation = await checkInvitation(ledger.state(), given.invitation, given.proof, given.certificate, time)
    const comparison = {
      mesh: ledger.mesh,
      invitation: invitation.id,
      inviter: invitation.madeBy,
      joiner: certificate.device,
      certificate: certificateHash(given.certificate),
    }
    return { invitation, certificate, comparison }
  }

  const admitNow = async (
    proof: { readonly proof: Uint8Array; readonly certificate: SignedCertificate },
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

  /** A person's no is for good: else somebody could ask until there is a yes by mistake. */
  const burn = async (invitation: InvitationId): Promise<void> => {
    if (membership.state().invitations.get(invitation)?.state !== 'open') return
    await membership.ledger().append({ type: 'invite-revoked', id: invitation })
  }

  const put = (waiting: Waiting, compared: Entry['compared'], ended: (outcome: Outcome) => void): void => {
    // the same device tries again, its first link may be dead: what a person confirms is the newest try
    entries.get(waiting.invitation)?.end('gone')
    const entry: Entry = {
      waiting,
      compared,
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
    for (const id of tries.keys()) if (invitations.get(id)?.state !== 'open') tries.delete(id)
  })

  const waitingOf = (
    { invitation, certificate, comparison }: Proven,
    joiner: Pick<JoinerWaits, 'certificate' | 'proof' | 'path'>,
    { joinerNonce, inviterNonce }: Numbers,
  ): Waiting => ({
    invitation: invitation.id,
    inviter: invitation.madeByPerson,
    device: certificate.device,
    name: certificate.name,
    kind: certificate.kind,
    person: invitation.personName ?? '',
    role: invitation.role,
    pictures: comparePictures(comparison, { joiner: joinerNonce, inviter: inviterNonce }),
    path: joiner.path,
    exchanged: {
      ...{ invitation: invitation.id, certificate: joiner.certificate, proof: joiner.proof, path: joiner.path },
      ...{ joinerNonce, inviterNonce },
    },
  })

  /** Keeps a place for a joiner while numbers are exchanged. */
  const whileStarting = async <Value>(
    { invitation, certificate }: Proven,
    work: () => Promise<Value>,
  ): Promise<Value> => {
    const other = entries.get(invitation.id)?.waiting.device ?? starting.get(invitation.id)
    if (other !== undefined && other !== certificate.device)
      throw new MeshError('invitation-used', 'Another device is using this invitation. Ask for a new link.')
    const places = new Set([...entries.keys(), ...starting.keys(), invitation.id]).size
    if (places > PENDING_JOINS_MAX)
      throw new MeshError('busy', 'Several devices are joining at once. Try again in a minute.')
    starting.set(invitation.id, certificate.device)
    try {
      return await work()
    } finally {
      if (starting.get(invitation.id) === certificate.device) starting.delete(invitation.id)
    }
  }

  /** Draws this device's number, and believes the joiner's only if it was bound to it before. */
  const exchangeHere = async (
    { invitation, comparison }: Proven,
    commitment: Uint8Array,
    exchange: (nonce: Uint8Array) => Promise<Uint8Array>,
  ): Promise<Numbers> => {
    const tried = tries.get(invitation.id) ?? 0
    if (tried >= PICTURE_TRIES_MAX)
      throw new MeshError('invitation-used', 'This invitation was tried too often. Ask for a new link.')
    tries.set(invitation.id, tried + 1)
    const inviterNonce = random.bytes(NONCE_BYTES)
    const joinerNonce = await exchange(inviterNonce)
    checkBound(joinerNonce, commitment, comparison)
    return { joinerNonce, inviterNonce }
  }

  /** Resolves once a person, here or at another device, said yes; throws for anything else. */
  const confirmed = async (
    waiting: Waiting,
    compared: Entry['compared'],
    { signal, differs, over }: Pick<PicturesAtDoor, 'signal' | 'differs'> & { readonly over?: AbortSignal },
  ): Promise<void> => {
    const limit = deadline(clock, PENDING_JOIN_MS, 'Comparing the pictures', signal)
    const watched = over === undefined ? limit.signal : AbortSignal.any([limit.signal, over])
    try {
      await new Promise<void>((resolve, reject) => {
        put(waiting, compared, (outcome) => {
          if (outcome === 'admitted') resolve()
          else reject(outcome === 'gone' && over?.aborted === true ? comparerGone() : notConfirmed())
        })
        const leave = (): void => {
          entries.get(waiting.invitation)?.end('gone')
        }
        watched.addEventListener('abort', leave, { once: true })
        if (watched.aborted) leave()
        differs().then(
          () => {
            // the one who joins saw that somebody is in between
            void burnAndSay(waiting)
          },
          () => undefined,
        )
      })
    } finally {
      limit.clear()
    }
  }

  const burnAndSay = async (waiting: Waiting): Promise<void> => {
    log.warn('the pictures differ on the device that joins', { invitation: waiting.invitation })
    try {
      await burn(waiting.invitation)
    } catch (error) {
      log.warn('an invitation whose pictures differ could not be taken back', { error })
    }
    const entry = entries.get(waiting.invitation)
    if (entry?.waiting === waiting) entry.end('refused')
  }

  /** The inviter is somebody else: one of that person's devices takes part, so that this one could not lie. */
  const confirmedThere = async (given: ProofGiven, what: Proven, options: PicturesAtDoor): Promise<void> => {
    const joiner = {
      ...{ invitation: what.invitation.id, certificate: given.certificate, proof: given.proof },
      commitment: given.commitment,
      path: pathOf(given),
    }
    const life = new AbortController()
    const leave = (): void => {
      life.abort(options.signal.reason)
    }
    options.signal.addEventListener('abort', leave, { once: true })
    try {
      const { there, waiting } = await whileStarting(what, async () => {
        await options.waiting()
        const comparing = await ports.compareAt(what.invitation, joiner, { signal: life.signal })
        const joinerNonce = await options.exchange(comparing.nonce)
        checkBound(joinerNonce, given.commitment, what.comparison)
        await comparing.open(joinerNonce)
        return { there: comparing, waiting: waitingOf(what, joiner, { joinerNonce, inviterNonce: comparing.nonce }) }
      })
      const differs = async (): Promise<void> => {
        await options.differs()
        await there.differ()
      }
      await confirmed(waiting, 'other-device', { signal: options.signal, over: there.over, differs })
    } catch (error) {
      // where it went well that device ends it, when it has heard so itself
      life.abort(error)
      throw error
    } finally {
      options.signal.removeEventListener('abort', leave)
    }
  }

  const compared = async (given: ProofGiven, what: Proven, options: PicturesAtDoor): Promise<void> => {
    const release = ports.spare(given.device)
    try {
      if (what.invitation.madeByPerson !== ownPerson()) {
        await confirmedThere(given, what, options)
        return
      }
      const waiting = await whileStarting(what, async () => {
        const numbers = await exchangeHere(what, given.commitment, (nonce) => options.exchange(nonce))
        return waitingOf(what, { ...given, path: pathOf(given) }, numbers)
      })
      await confirmed(waiting, 'here', options)
    } finally {
      release()
    }
  }

  /** That a join is this person's to compare. */
  const ours = async (joiner: Pick<ProofGiven, 'invitation' | 'proof' | 'certificate'>): Promise<Proven> => {
    const what = await proven(joiner)
    if (what.invitation.madeByPerson !== ownPerson())
      throw new MeshError('unauthorized', 'This invitation is of another person.', { fault: 'peer' })
    if (isIn(what.certificate.device)) throw new MeshError('conflict', 'This device is in this mesh already.')
    return what
  }

  return {
    changes,
    waiting: () => [...entries.values()].map((entry) => entry.waiting),
    comparedHere: () => [...entries.values()].flatMap(({ waiting, compared: at }) => (at === 'here' ? [waiting] : [])),
    async compareFor(from, joiner, { exchange, differs, signal }) {
      if (!authorize(membership.subject(from), 'report', 'join').allowed)
        throw new MeshError('unauthorized', 'The role of this device does not allow it to say who joins.')
      const what = await ours(joiner)
      const waiting = await whileStarting(what, async () =>
        waitingOf(what, joiner, await exchangeHere(what, joiner.commitment, exchange)),
      )
      log.info('a join at a device of another person is compared here', { from, invitation: joiner.invitation })
      await confirmed(waiting, 'here', { signal, differs })
    },
    async hear(from, joiner, { signal }) {
      // a device of one's own could admit whom it likes; anybody else's might have searched for these numbers
      const isOwn = membership.admitted(from)?.person === ownPerson()
      if (!isOwn || !authorize(membership.subject(from), 'admit', 'own-device').allowed)
        throw new MeshError('unauthorized', 'Only devices of the same person tell which pictures to compare.')
      const what = await ours(joiner)
      const { invitation, device } = waitingOf(what, joiner, joiner)
      const before = entries.get(invitation)
      if (before !== undefined && before.waiting.device !== device)
        throw new MeshError('invitation-used', 'Another device is using this invitation.')
      if (before === undefined && entries.size >= PENDING_JOINS_MAX)
        throw new MeshError('busy', 'Several devices are joining at once.')
      await confirmed(waitingOf(what, joiner, joiner), 'own-device', { signal, differs: never })
    },
    async settle(invitation, admit, options = {}) {
      const entry = entries.get(invitation)
      const known = membership.state().invitations.get(invitation)
      if (entry === undefined || known === undefined)
        throw new MeshError('invitation-unknown', 'No device is waiting with this invitation any more.')
      if (admit) await admitNow(entry.waiting.exchanged, known, options)
      else await burn(invitation)
    },
    async admit(given, options) {
      const what = await proven(given, given.device)
      // a device of this mesh already: nothing to use up
      if (!isIn(given.device)) {
        if (what.invitation.confirmation === 'pictures' || given.pictures) await compared(given, what, options)
        else await admitNow(given, what.invitation, options)
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

function checkBound(joinerNonce: Uint8Array, commitment: Uint8Array, comparison: Comparison): void {
  if (equalBytes(commitmentOf(joinerNonce, comparison), commitment)) return
  throw new MeshError('integrity', 'The joining device changed its number after it had heard the other one.', {
    fault: 'peer',
  })
}

function pathOf({ connection }: ProofGiven): 'direct' | 'relayed' {
  return isRelayed(connection) ? 'relayed' : 'direct'
}

function never(): Promise<void> {
  return new Promise(() => {})
}

function notConfirmed(): MeshError {
  return new MeshError('refused', 'The pictures were not confirmed on the other device. Ask for a new invitation.')
}

/** The joiner begins again: with its number known, a second one of the other side could be searched for. */
function comparerGone(): MeshError {
  return new MeshError('offline', 'The device that compares the pictures is gone. It is tried again.')
}
