import type { DeviceId, EventHub, InvitationId } from './base/index.ts'
import { cleanName, type Membership } from './identity/index.ts'
import type { MeshEvent, PendingJoin } from './mesh-types.ts'
import type { Admissions, Links, Waiting } from './net/index.ts'

interface PendingPorts {
  readonly self: DeviceId
  readonly membership: Membership
  readonly admissions: Admissions
  readonly links: Links
  readonly events: EventHub<MeshEvent>
}

/** Joins whose pictures a person at this device has to confirm, whichever device keeps the list. */
export interface PendingJoins {
  list(): PendingJoin[]
  /** The device that keeps the list a join waits for. */
  keeperOf(invitation: InvitationId): DeviceId
}

/** Gathers them from this device's own admissions and from the keepers of lists it follows. */
export function createPendingJoins(ports: PendingPorts): PendingJoins {
  const { self, membership, admissions, links, events } = ports
  const told = new Map<InvitationId, { readonly keeper: DeviceId; readonly join: PendingJoin }>()
  const linked = new Set<DeviceId>()

  const waitingFor = (maker: DeviceId): (PendingJoin & { pictures: string[] })[] =>
    admissions
      .waiting()
      .filter((one) => one.madeBy === maker)
      .map(({ madeBy: _, ...join }) => ({ ...join, pictures: [...join.pictures] }))

  const settled = (invitation: InvitationId, device: DeviceId, admitted: boolean): void => {
    events.emit({ type: 'join-settled', invitation, device, admitted })
  }

  const takeTold = (keeper: DeviceId, joins: readonly PendingJoin[]): void => {
    // only who keeps a list this device is on has joins for it to confirm
    if (membership.entryOn(keeper, self) === undefined) return
    for (const [id, known] of told) {
      if (known.keeper !== keeper || joins.some((join) => join.invitation === id)) continue
      told.delete(id)
      settled(id, known.join.device, membership.admitted(known.join.device) !== undefined)
    }
    for (const { name, ...rest } of joins) {
      // the name is the keeper's word about a stranger: cleaned here too
      const join = { ...rest, name: cleanName(name) || 'Unnamed device' }
      const known = told.get(join.invitation)
      // the same joiner on a new try has new pictures
      if (known !== undefined && (known.keeper !== keeper || known.join.pictures.join() === join.pictures.join()))
        continue
      told.set(join.invitation, { keeper, join })
      events.emit({ type: 'join-pending', join })
    }
  }

  const changed = (waiting: Waiting, outcome: 'waiting' | 'admitted' | 'refused'): void => {
    const { madeBy, ...join } = waiting
    if (madeBy !== self) links.send({ type: 'pending', joins: waitingFor(madeBy) }, madeBy)
    else if (outcome === 'waiting') events.emit({ type: 'join-pending', join })
    else settled(waiting.invitation, waiting.device, outcome === 'admitted')
  }

  // whoever was away when a join began, or lost its memory, is told when its link is up again
  links.changes.subscribe((id) => {
    if (links.view(id).state !== 'online') {
      linked.delete(id)
      return
    }
    if (linked.has(id)) return
    linked.add(id)
    if (membership.entryOn(self, id)?.role === 'owner') links.send({ type: 'pending', joins: waitingFor(id) }, id)
  })
  links.frames.subscribe(({ from, frame }) => {
    if (frame.type === 'pending') takeTold(from, frame.joins)
  })
  admissions.changes.subscribe(({ waiting, outcome }) => {
    changed(waiting, outcome)
  })

  return {
    list: () => [...waitingFor(self), ...[...told.values()].map((one) => one.join)],
    keeperOf: (invitation) => told.get(invitation)?.keeper ?? self,
  }
}
