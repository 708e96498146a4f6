import {
  asMeshError,
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
  checkConsent,
  certificateHash,
  checkInvitation,
  commitmentOf,
  comparePictures,
  equalBytes,
  NONCE_BYTES,
  openCertificate,
  openConsent,
  personIdOfDevice,
  type Certificate,
  type Comparison,
  type EarlierLists,
  type LedgerInvitation,
  type Membership,
  type Role,
  type SignedCertificate,
  type SignedConsent,
} from '../identity/index.ts'
import type { ComparedThere, Comparing } from './protocols/compare/compare.ts'
import type { JoinerExchanged, JoinerWaits } from './protocols/compare/messages.ts'
import type { Admission, JoinerAtDoor, JoinersWord, ProofGiven } from './protocols/join/join.ts'
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
  /** What the other devices of the inviter's person need to show the same, and to admit it by themselves: */
  readonly exchanged: Omit<JoinerExchanged, 'type'>
  /** and the joiner's word, once it is there. Rejects when the line to it is gone before. */
  readonly word: Promise<JoinersWord>
}

/** Admission of devices that come with an invitation, at this device or at another one of the same person. */
export interface Admissions extends Admission, Comparing {
  readonly changes: EventSource<{ readonly waiting: Waiting; readonly outcome: 'waiting' | 'admitted' | 'refused' }>
  /** Everyone who waits, here or at another device of the mesh. */
  waiting(): readonly Waiting[]
  /** Those of this person whose pictures were made here, for the person's other devices. */
  comparedHere(): readonly Waiting[]
  /** True when the person here has said yes, and only the joiner's own word is waited for. */
  isAnswered(waiting: Waiting): boolean
  /**
   * A person's word. A yes admits at once if the joiner agreed already, else as soon as it does.
   * @throws MeshError `invitation-unknown` when nobody waits with it, and those of the ledger
   */
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

/**
 * How long the admission that a comparison ended with may be on its way, in ms: it comes by another stream than the
 * one that ended. On a slow device the joiner began again at once, and was told by nobody that it was in.
 */
const ADMISSION_ARRIVES_MS = 5_000

/** How a join that waited ended. `gone`: nobody is on the line any more, or nobody compares. */
type Outcome = 'admitted' | 'refused' | 'gone'

interface Entry {
  readonly waiting: Waiting
  /** Where its pictures were made: here, at another device of this person, or at the inviter's for another person's. */
  readonly compared: 'here' | 'own-device' | 'other-device'
  /** The joiner agreed to come. */
  consent?: SignedConsent
  /** A person said yes here. */
  isAnswered: boolean
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

  // what somebody wrote of a device without asking it lets nobody in
  const isIn = (id: DeviceId): boolean => membership.admitted(id)?.consented === true
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
    consent: SignedConsent,
    options: Cancellable,
  ): Promise<void> => {
    try {
      await membership.ledger().append(admitByInvitation(invitation, proof.proof, proof.certificate, consent), options)
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

  const put = (waiting: Waiting, compared: Entry['compared'], ended: (outcome: Outcome) => void): Entry => {
    // the same device tries again, its first link may be dead: what a person confirms is the newest try
    entries.get(waiting.invitation)?.end('gone')
    const entry: Entry = {
      waiting,
      compared,
      isAnswered: false,
      end(outcome) {
        if (entries.get(waiting.invitation) !== entry) return
        entries.delete(waiting.invitation)
        changes.emit({ waiting, outcome: outcome === 'admitted' ? 'admitted' : 'refused' })
        ended(outcome)
      },
    }
    entries.set(waiting.invitation, entry)
    changes.emit({ waiting, outcome: 'waiting' })
    return entry
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
    word: Promise<JoinersWord>,
  ): Waiting => ({
    word,
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
    { signal, over }: { readonly signal: AbortSignal; readonly over?: AbortSignal },
  ): Promise<void> => {
    const limit = deadline(clock, PENDING_JOIN_MS, 'Comparing the pictures', signal)
    let cancelLeaving: (() => void) | undefined
    try {
      await new Promise<void>((resolve, reject) => {
        const entry = put(waiting, compared, (outcome) => {
          if (outcome === 'admitted') resolve()
          else reject(outcome === 'gone' && over?.aborted === true ? comparerGone() : notConfirmed())
        })
        const leave = (): void => {
          entries.get(waiting.invitation)?.end('gone')
        }
        const leaveLater = (): void => {
          cancelLeaving = clock.schedule(ADMISSION_ARRIVES_MS, leave)
        }
        onAbort(limit.signal, leave)
        if (over !== undefined) onAbort(over, leaveLater)
        heed(entry).catch((error: unknown) => {
          reject(asMeshError(error))
          entry.end('gone')
        })
      })
    } finally {
      cancelLeaving?.()
      limit.clear()
    }
  }

  /** What the joiner says: with its own word and a person's yes here it is written down. */
  const heed = async (entry: Entry): Promise<void> => {
    const { waiting } = entry
    // a line that is gone ends it by itself
    const word = await waiting.word.catch(() => undefined)
    if (word === undefined || entries.get(waiting.invitation) !== entry) return
    // the one who joins saw that somebody is in between
    if (word === 'differ') return burnAndSay(waiting)
    // whoever only has it on the line passes it on
    if (entry.compared === 'other-device') return
    const invitation = membership.state().invitations.get(waiting.invitation)
    if (invitation === undefined) return
    entry.consent = await agreedTo(invitation, waiting.exchanged.certificate, word)
    if (entry.isAnswered) await admitNow(waiting.exchanged, invitation, entry.consent, {})
  }

  /** @throws MeshError `integrity` when the joiner agreed to something else */
  const agreedTo = (
    invitation: LedgerInvitation,
    certificate: SignedCertificate,
    consent: Uint8Array,
  ): Promise<SignedConsent> => openConsent(invitation, { certificate, consent, by: 'link' }, membership.ledger().mesh)

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
  const confirmedThere = async (given: ProofGiven, what: Proven, options: JoinerAtDoor): Promise<void> => {
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
        const comparing = await untilIn(what.certificate.device, life, () =>
          ports.compareAt(what.invitation, joiner, { signal: life.signal }),
        )
        const joinerNonce = await options.exchange(comparing.nonce)
        checkBound(joinerNonce, given.commitment, what.comparison)
        await comparing.open(joinerNonce)
        const numbers = { joinerNonce, inviterNonce: comparing.nonce }
        const word = quiet(options.word())
        return { there: comparing, waiting: waitingOf(what, joiner, numbers, word) }
      })
      void waiting.word.then((word) => there.tell(word)).catch(() => undefined)
      await confirmed(waiting, 'other-device', { signal: options.signal, over: there.over })
    } catch (error) {
      // where it went well that device ends it, when it has heard so itself
      life.abort(error)
      // admitted meanwhile, by what was compared before its link broke
      if (!isIn(what.certificate.device)) throw error
    } finally {
      options.signal.removeEventListener('abort', leave)
    }
  }

  /** Waits for somebody to compare; aborts `life` when the joiner turns out to be in already. */
  const untilIn = async <Value>(
    device: DeviceId,
    life: AbortController,
    work: () => Promise<Value>,
  ): Promise<Value> => {
    const stop = membership.changes.subscribe(() => {
      if (isIn(device)) life.abort(new MeshError('aborted', 'The device is in this mesh already.'))
    })
    try {
      return await work()
    } finally {
      stop()
    }
  }

  const compared = async (given: ProofGiven, what: Proven, options: JoinerAtDoor): Promise<void> => {
    const release = ports.spare(given.device)
    try {
      if (what.invitation.madeByPerson !== ownPerson()) {
        await confirmedThere(given, what, options)
        return
      }
      const waiting = await whileStarting(what, async () => {
        const numbers = await exchangeHere(what, given.commitment, (nonce) => options.exchange(nonce))
        return waitingOf(what, { ...given, path: pathOf(given) }, numbers, quiet(options.word()))
      })
      await confirmed(waiting, 'here', options)
    } finally {
      release()
    }
  }

  /** Nothing is compared: the joiner pressed the button for what its link says, and says so with its key. */
  const admitAtOnce = async (
    given: ProofGiven,
    invitation: LedgerInvitation,
    { word, signal }: JoinerAtDoor,
  ): Promise<void> => {
    const said = await word()
    if (said === 'differ') throw notConfirmed()
    await admitNow(given, invitation, await agreedTo(invitation, given.certificate, said), { signal })
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
    isAnswered: (waiting) => {
      const entry = entries.get(waiting.invitation)
      return entry?.waiting === waiting && entry.isAnswered
    },
    async compareFor(from, joiner, { exchange, word, work, signal }) {
      if (!authorize(membership.subject(from), 'report', 'join').allowed)
        throw new MeshError('unauthorized', 'The role of this device does not allow it to say who joins.')
      const what = await work(() => ours(joiner), { signal })
      const waiting = await whileStarting(what, async () => {
        const numbers = await exchangeHere(what, joiner.commitment, exchange)
        return waitingOf(what, joiner, numbers, quiet(word()))
      })
      log.info('a join at a device of another person is compared here', { from, invitation: joiner.invitation })
      await confirmed(waiting, 'here', { signal })
    },
    async hear(from, joiner, { word, signal }) {
      // a device of one's own could admit whom it likes; anybody else's might have searched for these numbers
      const isOwn = membership.admitted(from)?.person === ownPerson()
      if (!isOwn || !authorize(membership.subject(from), 'admit', 'own-device').allowed)
        throw new MeshError('unauthorized', 'Only devices of the same person tell which pictures to compare.')
      const what = await ours(joiner)
      const waiting = waitingOf(what, joiner, joiner, quiet(word()))
      const before = entries.get(waiting.invitation)
      if (before !== undefined && before.waiting.device !== waiting.device)
        throw new MeshError('invitation-used', 'Another device is using this invitation.')
      if (before === undefined && entries.size >= PENDING_JOINS_MAX)
        throw new MeshError('busy', 'Several devices are joining at once.')
      await confirmed(waiting, 'own-device', { signal })
    },
    async settle(invitation, admit, options = {}) {
      const entry = entries.get(invitation)
      const known = membership.state().invitations.get(invitation)
      if (entry === undefined || known === undefined)
        throw new MeshError('invitation-unknown', 'No device is waiting with this invitation any more.')
      if (!admit) {
        await burn(invitation)
        return
      }
      entry.isAnswered = true
      if (entry.consent !== undefined) await admitNow(entry.waiting.exchanged, known, entry.consent, options)
    },
    async admit(given, options) {
      const what = await proven(given, given.device)
      // a device of this mesh already: nothing to use up
      if (!isIn(given.device)) {
        if (what.invitation.confirmation === 'pictures' || given.pictures) await compared(given, what, options)
        else await admitAtOnce(given, what.invitation, options)
      }
      if (!isIn(given.device))
        throw new MeshError('refused', 'The device that made this invitation was removed. Ask for a new link.')
      return membership.ledger().missingFor([])
    },
    async readmit(device, certificate, options) {
      const known = ports.earlier.admitted(device)
      const own = membership.admitted(membership.self)
      if (membership.wasRemoved(device)) throw new MeshError('removed', 'This device was removed from the mesh.')
      if (!isIn(device) && membership.admitted(device)?.admittedBy !== membership.self) {
        if (known === undefined || own === undefined)
          throw new MeshError('not-admitted', 'This device is not part of this mesh. Ask its owner for an invitation.')
        if ((await openCertificate(certificate)).device !== device)
          throw new MeshError('refused', 'This certificate is of another device.', { fault: 'peer' })
        const isOwn = known.person === ''
        const { mesh } = membership.ledger()
        const terms = { by: 'device', device: membership.self } as const
        const consent = { terms, signature: await options.agree(mesh) }
        await checkConsent(device, consent, { mesh, key: undefined, certificate })
        await membership.ledger().append(
          {
            type: 'admit',
            certificate,
            consent,
            person: isOwn ? own.person : personIdOfDevice(device),
            ...(isOwn ? {} : { newPerson: { name: known.person, role: 'member' as const } }),
          },
          { signal: options.signal },
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

function onAbort(signal: AbortSignal, listener: () => void): void {
  if (signal.aborted) listener()
  else signal.addEventListener('abort', listener, { once: true })
}

/** Whoever waits for it hears of its failure; nobody has to. */
function quiet<Value>(promise: Promise<Value>): Promise<Value> {
  promise.catch(() => undefined)
  return promise
}

function notConfirmed(): MeshError {
  return new MeshError('refused', 'The pictures were not confirmed on the other device. Ask for a new invitation.')
}

/** The joiner begins again: with its number known, a second one of the other side could be searched for. */
function comparerGone(): MeshError {
  return new MeshError('offline', 'The device that compares the pictures is gone. It is tried again.')
}
