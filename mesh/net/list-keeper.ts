import { MeshError, type DeviceId } from '../base/index.ts'
import {
  cleanName,
  formatInvitation,
  LINK_MAX_ADDRESSES,
  type Invitations,
  type Membership,
} from '../identity/index.ts'
import type { Admissions } from './admission.ts'
import type { ChangeList } from './protocols/membership/membership.ts'
import type { MembershipReply, MembershipRequest } from './protocols/membership/messages.ts'

interface KeeperPorts {
  readonly self: DeviceId
  readonly membership: Membership
  readonly invitations: Invitations
  readonly admissions: Admissions
  /** Where this device can be reached: multiaddrs with its peer id. */
  readonly addresses: () => readonly string[]
  /** A whole link for a fragment. */
  readonly linkTo: (fragment: string) => string
}

interface Cancellable {
  readonly signal?: AbortSignal | undefined
}

/**
 * Changes this device's own list for whoever may: itself, and devices that are on
 * this very list. Being on another list gives no right here.
 * @throws MeshError `unauthorized`, and those of the membership
 */
export function createListKeeper(ports: KeeperPorts): ChangeList {
  const { self, membership, invitations, admissions } = ports

  const invite = async (
    caller: DeviceId,
    wanted: Extract<MembershipRequest, { type: 'invite' }>,
    options: Cancellable,
  ): Promise<MembershipReply> => {
    const person = cleanName(wanted.person)
    // nobody's name would make it an invitation for a device of one's own, with an owner's rights
    if (person === '' && wanted.person !== '')
      throw new MeshError('usage', 'A name needs at least one visible character.')
    const { id, secret, expiresAt, confirmation } = await invitations.create({
      person,
      role: person === '' ? 'owner' : 'member',
      confirmation: wanted.confirmation,
      madeBy: caller,
      lifetimeMs: wanted.lifetimeMs,
      signal: options.signal,
    })
    const fragment = formatInvitation({
      inviter: self,
      inviterName: membership.entryOn(self, self)?.name ?? '',
      secret,
      addresses: invitationAddresses(ports.addresses()),
      expiresAt,
      person,
      confirmation,
    })
    return { type: 'invitation', id, fragment, url: ports.linkTo(fragment), expiresAt, confirmation }
  }

  return async (caller, wanted, options) => {
    const rights = membership.entryOn(self, caller)
    const ownName = wanted.type === 'rename' && wanted.device === caller
    if (rights === undefined || (rights.role !== 'owner' && !ownName)) {
      throw new MeshError('unauthorized', 'Only an owner of this mesh may do this.')
    }
    switch (wanted.type) {
      case 'rename':
        await membership.rename(wanted.device, wanted.name, options)
        return { type: 'done' }
      case 'remove':
        // first: a link this device once used must not let it in again
        await invitations.closeUsedBy(wanted.device, options)
        await membership.remove(wanted.device, options)
        return { type: 'done' }
      case 'settle':
        admissions.settle(wanted.invitation, wanted.admit)
        return { type: 'done' }
      case 'invite':
        return invite(caller, wanted, options)
    }
  }
}

/** The addresses a link carries: those a browser can dial, what reaches farthest first. */
function invitationAddresses(addresses: readonly string[]): string[] {
  const usable = addresses
    .map((address) => address.replace(/\/p2p\/[^/]+$/, ''))
    // plain TCP is for helpers, which speak WebSocket as well
    .filter((address) => !/\/tcp\/\d+$/.test(address))
  const isLoopback = (address: string): boolean => /^\/ip4\/127\.|^\/ip6\/::1\//.test(address)
  return [...usable.filter((address) => !isLoopback(address)), ...usable.filter(isLoopback)].slice(
    0,
    LINK_MAX_ADDRESSES,
  )
}
