import type { DeviceId, EventHub, InvitationId, Logger, PersonId } from './base/index.ts'
import { authorize, type Membership } from './identity/index.ts'
import type { MeshEvent, PendingJoin } from './mesh-types.ts'
import type { Admissions, Links, Waiting } from './net/index.ts'

interface PendingPorts {
  readonly membership: Membership
  readonly admissions: Admissions
  readonly links: Links
  readonly events: EventHub<MeshEvent>
  readonly log: Logger
}

/** Joins whose pictures the person of this device has to confirm, whichever device they came to. */
export interface PendingJoins {
  list(): PendingJoin[]
}

/** Tells the devices of an inviter who waits here for them, and hears who waits elsewhere for this one's person. */
export function createPendingJoins(ports: PendingPorts): PendingJoins {
  const { membership, admissions, links, events } = ports
  const linked = new Set<DeviceId>()

  const ownPerson = (): PersonId | undefined => membership.admitted(membership.self)?.person

  const viewOf = ({ invitation, device, name, kind, person, role, pictures, path }: Waiting): PendingJoin => ({
    ...{ invitation, device, name, kind, person, role, pictures, path },
  })

  /** Devices of the inviter that could still write the admission down. */
  const mayConfirm = (id: DeviceId): boolean =>
    authorize(membership.subject(id), 'admit-proven', 'own-invitation').allowed

  const tell = (person: PersonId, to?: DeviceId): void => {
    const joins = [...admissions.waitingHere(person)]
    for (const member of membership.members()) {
      if (member.person !== person || member.id === membership.self || !mayConfirm(member.id)) continue
      if (to === undefined || member.id === to) links.send({ type: 'pending', joins }, member.id)
    }
  }

  const settled = (invitation: InvitationId, device: DeviceId, admitted: boolean): void => {
    events.emit({ type: 'join-settled', invitation, device, admitted })
  }

  admissions.changes.subscribe(({ waiting, outcome }) => {
    tell(waiting.inviter)
    if (waiting.inviter !== ownPerson()) return
    if (outcome === 'waiting') events.emit({ type: 'join-pending', join: viewOf(waiting) })
    else settled(waiting.invitation, waiting.device, outcome === 'admitted')
  })
  // whoever was away when a join began, or lost its memory, is told when its link is up again
  links.changes.subscribe((id) => {
    if (links.view(id).state !== 'online') {
      linked.delete(id)
      return
    }
    if (linked.has(id)) return
    linked.add(id)
    const person = membership.admitted(id)?.person
    if (person !== undefined && admissions.waitingHere(person).length > 0) tell(person, id)
  })
  links.frames.subscribe(({ from, frame }) => {
    if (frame.type !== 'pending') return
    if (authorize(membership.subject(from), 'report', 'join').allowed) void admissions.hear(from, frame.joins)
    else ports.log.debug('joins told by a device that may report none were not heard', { from })
  })

  return {
    list: () =>
      admissions
        .waiting()
        .filter((waiting) => waiting.inviter === ownPerson())
        .map(viewOf),
  }
}
