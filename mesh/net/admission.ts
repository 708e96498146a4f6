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
  const pending = new Map<InvitationId, { waiting: Waiting; settle: (admit: boolean) => void }>()
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
  ): Promise<boolean> => {
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
    const admit = await new Promise<boolean>((resolve) => {
      pending.set(invitation.id, { waiting, settle: resolve })
      signal.addEventListener(
        'abort',
        () => {
          resolve(false)
        },
        { once: true },
      )
      changes.emit({ waiting, outcome: 'waiting' })
    })
    pending.delete(invitation.id)
    changes.emit({ waiting, outcome: admit ? 'admitted' : 'refused' })
    return admit
  }

  return {
    changes,
    waiting: () => [...pending.values()].map((entry) => entry.waiting),
    settle(invitation, admit) {
      const entry = pending.get(invitation)
      if (entry === undefined)
        throw new MeshError('invitation-unknown', 'No device is waiting with this invitation any more.')
      entry.settle(admit)
    },
    async admit(given, { compare, signal }) {
      const invitation = invitations.check(given.invitation, given.proof, given.device)
      const known = membership.admitted(given.device)
      // on this very list already: nothing to use up
      if (known !== undefined && known.issuer === self) return ownRoster()
      if (invitation.confirmation === 'pictures') {
        if (pending.size >= PENDING_JOINS_MAX)
          throw new MeshError('busy', 'Several devices are joining at once. Try again in a minute.')
        await invitations.use(invitation.id, given.device, { signal })
        const nonce = random.bytes(NONCE_BYTES)
        await compare(nonce)
        if (!(await confirmed(given, invitation, nonce, signal))) {
          throw new MeshError(
            'refused',
            'The pictures were not confirmed on the other device. Ask for a new invitation.',
          )
        }
      } else await invitations.use(invitation.id, given.device, { signal })
      return putOnList(given, invitation, signal)
    },
  }
}
