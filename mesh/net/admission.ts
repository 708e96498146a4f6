import {
  createEvents,
  MeshError,
  PENDING_JOINS_MAX,
  type DeviceId,
  type EventSource,
  type InvitationId,
  type Logger,
  type Random,
} from '../base/index.ts'
import {
  cleanName,
  comparePictures,
  NONCE_BYTES,
  type Invitation,
  type Invitations,
  type Membership,
  type SignedRoster,
} from '../identity/index.ts'
import type { Admission, ProofGiven } from './protocols/join/join.ts'
import { isRelayed } from './stream.ts'

/** A device that proved an invitation and whose pictures wait for a person. */
export interface Waiting {
  readonly invitation: InvitationId
  /** Who made the invitation and so sees the pictures. */
  readonly madeBy: DeviceId
  readonly device: DeviceId
  readonly name: string
  readonly kind: 'helper' | 'browser'
  readonly pictures: readonly string[]
  readonly path: 'direct' | 'relayed'
}

/** Admission to this device's own list. */
export interface Admissions extends Admission {
  readonly changes: EventSource<{ readonly waiting: Waiting; readonly outcome: 'waiting' | 'admitted' | 'refused' }>
  waiting(): readonly Waiting[]
  /** @throws MeshError `invitation-unknown` when nobody waits with it */
  settle(invitation: InvitationId, admit: boolean): void
}

/** What became of a join that waited: a person's word, or the joiner left or tried anew. */
type Answer = 'yes' | 'no' | 'gone'

interface AdmissionPorts {
  readonly self: DeviceId
  readonly membership: Membership
  readonly invitations: Invitations
  readonly random: Random
  readonly log: Logger
  /** Keeps the connection of a device that waits. */
  readonly spare: (id: DeviceId) => void
}

/** The inviter's side: proof, then perhaps people, then the list. */
export function createAdmissions(ports: AdmissionPorts): Admissions {
  const { self, membership, invitations, random, log } = ports
  const pending = new Map<InvitationId, { readonly waiting: Waiting; settle: (answer: Answer) => void }>()
  const changes = createEvents<{ waiting: Waiting; outcome: 'waiting' | 'admitted' | 'refused' }>((error) => {
    log.error('a listener of admissions failed', { error })
  })

  const ownRoster = (): SignedRoster => {
    const [roster] = membership.rosters()
    if (roster === undefined) throw new MeshError('bug', 'The own list of devices is missing.')
    return roster
  }

  const putOnList = async (given: ProofGiven, invitation: Invitation, signal: AbortSignal): Promise<SignedRoster> => {
    await membership.admit(
      { id: given.device, name: given.name, kind: given.kind, role: invitation.role, person: invitation.person },
      { signal },
    )
    log.info('a device was admitted', { device: given.device })
    return ownRoster()
  }

  const confirmed = async (
    given: ProofGiven,
    invitation: Invitation,
    nonce: Uint8Array,
    signal: AbortSignal,
  ): Promise<{ answer: Answer; waiting: Waiting }> => {
    const waiting: Waiting = {
      invitation: invitation.id,
      madeBy: invitation.madeBy,
      device: given.device,
      name: cleanName(given.name) || 'Unnamed device',
      kind: given.kind,
      pictures: comparePictures(self, given.device, nonce),
      path: isRelayed(given.connection) ? 'relayed' : 'direct',
    }
    ports.spare(given.device)
    return new Promise((resolve) => {
      const entry = {
        waiting,
        settle(answer: Answer): void {
          if (pending.get(invitation.id) !== entry) return
          pending.delete(invitation.id)
          // a yes is told once the device is on the list: who hears of it looks there
          if (answer !== 'yes') changes.emit({ waiting, outcome: 'refused' })
          resolve({ answer, waiting })
        },
      }
      // the same device tries again, its first link may be dead: what a person confirms is the newest try
      pending.get(invitation.id)?.settle('gone')
      pending.set(invitation.id, entry)
      signal.addEventListener(
        'abort',
        () => {
          entry.settle('gone')
        },
        { once: true },
      )
      changes.emit({ waiting, outcome: 'waiting' })
      if (signal.aborted) entry.settle('gone')
    })
  }

  const byPictures = async (
    given: ProofGiven,
    invitation: Invitation,
    { compare, signal }: Parameters<Admission['admit']>[1],
  ): Promise<Waiting> => {
    if (pending.size >= PENDING_JOINS_MAX && !pending.has(invitation.id))
      throw new MeshError('busy', 'Several devices are joining at once. Try again in a minute.')
    await invitations.use(invitation.id, given.device, { signal })
    const nonce = random.bytes(NONCE_BYTES)
    await compare(nonce)
    const { answer, waiting } = await confirmed(given, invitation, nonce, signal)
    if (answer === 'yes') return waiting
    // a person's no is for good: else the joiner could ask until somebody says yes by mistake
    if (answer === 'no') await invitations.close(invitation.id)
    throw new MeshError('refused', 'The pictures were not confirmed on the other device. Ask for a new invitation.')
  }

  return {
    changes,
    waiting: () => [...pending.values()].map((entry) => entry.waiting),
    settle(invitation, admit) {
      const entry = pending.get(invitation)
      if (entry === undefined)
        throw new MeshError('invitation-unknown', 'No device is waiting with this invitation any more.')
      entry.settle(admit ? 'yes' : 'no')
    },
    async admit(given, options) {
      const { signal } = options
      const invitation = invitations.check(given.invitation, given.proof, given.device)
      // on this very list already: nothing to use up
      if (membership.entryOn(self, given.device) !== undefined) return ownRoster()
      const waiting = invitation.confirmation === 'pictures' ? await byPictures(given, invitation, options) : undefined
      if (waiting === undefined) await invitations.use(invitation.id, given.device, { signal })
      try {
        // looked at last, nothing waits in between: an owner that was removed lets nobody in
        if (membership.entryOn(self, invitation.madeBy) === undefined)
          throw new MeshError('refused', 'The device that made this invitation was removed. Ask for a new link.')
        const roster = await putOnList(given, invitation, signal)
        if (waiting !== undefined) changes.emit({ waiting, outcome: 'admitted' })
        return roster
      } catch (error) {
        if (waiting !== undefined) changes.emit({ waiting, outcome: 'refused' })
        throw error
      }
    },
  }
}
