import {
  asMeshError,
  isMeshError,
  MeshError,
  throwIfAborted,
  type Clock,
  type DeviceId,
  type EventHub,
  type InvitationId,
  type Logger,
  type PersonId,
} from './base/index.ts'
import { authorize, type LedgerInvitation, type Membership } from './identity/index.ts'
import type { MeshEvent, PendingJoin } from './mesh-types.ts'
import {
  compareAt,
  tellExchanged,
  type Admissions,
  type ComparedThere,
  type JoinerWaits,
  type Links,
  type Waiting,
} from './net/index.ts'

interface PendingPorts {
  readonly membership: Membership
  readonly admissions: Admissions
  readonly links: Links
  readonly events: EventHub<MeshEvent>
  readonly clock: Clock
  readonly log: Logger
}

/** Joins whose pictures the person of this device has to confirm, whichever device they came to. */
export interface PendingJoins {
  list(): PendingJoin[]
}

/** Tells the devices of this person who waits, and says what happens to those who do. */
export function createPendingJoins(ports: PendingPorts): PendingJoins {
  const { membership, admissions, links, events, clock, log } = ports
  /** Open tellings, by joiner and the device that is told. */
  const telling = new Map<Waiting, Map<DeviceId, AbortController>>()

  const ownPerson = (): PersonId | undefined => membership.admitted(membership.self)?.person

  const viewOf = ({ invitation, device, name, kind, person, role, pictures, path }: Waiting): PendingJoin => ({
    ...{ invitation, device, name, kind, person, role, pictures, path },
  })

  /** Devices of the inviter that could still write the admission down. */
  const mayConfirm = (id: DeviceId): boolean =>
    authorize(membership.subject(id), 'admit-proven', 'own-invitation').allowed

  const tell = async (waiting: Waiting, id: DeviceId): Promise<void> => {
    const told = telling.get(waiting) ?? new Map<DeviceId, AbortController>()
    if (told.has(id)) return
    telling.set(waiting, told)
    const life = new AbortController()
    told.set(id, life)
    try {
      const { exchanged, word } = waiting
      await tellExchanged(links.connection(id), exchanged, { clock }, { word, signal: life.signal })
    } catch (error) {
      // it heard the end from the ledger, is gone, or is of an earlier version
      log.debug('a device is not told any more who waits', { to: id, code: asMeshError(error).code })
    } finally {
      told.delete(id)
    }
  }

  const tellAll = (to?: DeviceId): void => {
    const own = ownPerson()
    for (const member of membership.members()) {
      const isAsked = to === undefined || member.id === to
      if (!isAsked || member.person !== own || member.id === membership.self || !mayConfirm(member.id)) continue
      if (links.view(member.id).state !== 'online') continue
      for (const waiting of admissions.comparedHere()) void tell(waiting, member.id)
    }
  }

  const endTelling = (waiting: Waiting, outcome: 'admitted' | 'refused'): void => {
    const told = telling.get(waiting)
    telling.delete(waiting)
    // of an admission each hears by the ledger, and says so itself
    if (outcome === 'admitted') return
    for (const life of told?.values() ?? []) life.abort(new MeshError('aborted', 'Nobody waits any more.'))
  }

  const settled = (invitation: InvitationId, device: DeviceId, admitted: boolean): void => {
    events.emit({ type: 'join-settled', invitation, device, admitted })
  }

  admissions.changes.subscribe(({ waiting, outcome }) => {
    if (outcome === 'waiting') tellAll()
    else endTelling(waiting, outcome)
    if (waiting.inviter !== ownPerson()) return
    if (outcome === 'waiting') events.emit({ type: 'join-pending', join: viewOf(waiting) })
    else settled(waiting.invitation, waiting.device, outcome === 'admitted')
  })
  // whoever was away when a join began, or lost its memory, is told when its link is up again
  links.changes.subscribe((id) => {
    if (links.view(id).state === 'online') tellAll(id)
    else for (const told of telling.values()) told.get(id)?.abort(new MeshError('peer-gone', 'The device is gone.'))
  })

  return {
    list: () =>
      admissions
        .waiting()
        .filter((waiting) => waiting.inviter === ownPerson() && !admissions.isAnswered(waiting))
        .map(viewOf),
  }
}

/**
 * Has a device of the inviter's person compare a joiner: the one that made the invitation
 * first, then those with a screen. Waits until one is there.
 * @throws MeshError `aborted`, and what the device told that was asked last
 */
export async function compareElsewhere(
  ports: { readonly membership: Membership; readonly links: Links; readonly clock: Clock; readonly log: Logger },
  invitation: LedgerInvitation,
  joiner: Omit<JoinerWaits, 'type'>,
  options: { readonly signal: AbortSignal },
): Promise<ComparedThere> {
  const { membership, links, clock, log } = ports
  const refused = new Set<DeviceId>()
  const candidates = (): DeviceId[] =>
    membership
      .members()
      .filter(
        ({ id, person, removedAt }) => person === invitation.madeByPerson && removedAt === null && !refused.has(id),
      )
      .filter(({ id }) => links.view(id).state === 'online')
      .sort((a, b) => rank(b) - rank(a))
      .map(({ id }) => id)
  const rank = ({ id, kind }: { readonly id: DeviceId; readonly kind: string }): number =>
    (id === invitation.madeBy ? 2 : 0) + (kind === 'browser' ? 1 : 0)
  for (;;) {
    const [device] = candidates()
    if (device === undefined) {
      await nextChange(links, options.signal)
      continue
    }
    try {
      return await compareAt(links.connection(device), joiner, { clock }, options)
    } catch (error) {
      throwIfAborted(options.signal)
      // the joiner, not the device, is what is wrong
      if (isMeshError(error, 'invitation-used') || isMeshError(error, 'invitation-expired')) throw error
      log.debug('a device does not compare', { device, code: asMeshError(error).code })
      refused.add(device)
    }
  }
}

function nextChange(links: Links, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const end = links.changes.subscribe(() => {
      leave()
      resolve()
    })
    const onAbort = (): void => {
      leave()
      reject(asMeshError(signal.reason, 'aborted'))
    }
    const leave = (): void => {
      end()
      signal.removeEventListener('abort', onAbort)
    }
    signal.addEventListener('abort', onAbort, { once: true })
    if (signal.aborted) onAbort()
  })
}
