import { MeshError, type Clock, type DeviceId, type Random } from './base/index.ts'
import {
  authorize,
  cleanName,
  formatInvitation,
  INVITATION_LIFETIME_MS,
  INVITATION_MAX_LIFETIME_MS,
  INVITATIONS_MAX_OPEN,
  inviteDraft,
  invitationIdOfKey,
  invitationKey,
  isOver,
  LINK_MAX_ADDRESSES,
  SECRET_BYTES,
  type Membership,
  type Role,
} from './identity/index.ts'
import type { InvitationView, InviteOptions } from './mesh-types.ts'
import { byHost, type Links } from './net/index.ts'

interface InvitingPorts {
  readonly membership: Membership
  readonly links: Links
  readonly clock: Clock
  readonly random: Random
  /** Where this device can be reached: multiaddrs with its peer id. */
  readonly addresses: () => readonly string[]
  /** A whole link for a fragment. */
  readonly linkTo: (fragment: string) => string
}

interface Cancellable {
  readonly signal?: AbortSignal | undefined
}

/** Other devices that a link names beside its maker: where one of them is awake, the joiner gets in. */
const OTHER_DOORS_MAX = 1

/**
 * Makes an invitation: its public half goes into the ledger, its secret into the link.
 * @throws MeshError `unauthorized`, `refused` (too many are open), `usage`, and of the store
 */
export async function makeInvitation(
  ports: InvitingPorts,
  options: InviteOptions & Cancellable,
): Promise<InvitationView> {
  const { membership, clock, random } = ports
  const own = membership.admitted(membership.self)
  if (own === undefined)
    throw new MeshError('removed', 'This device was removed from its mesh and can invite nobody to it.')
  refuseTooMany(ports)
  const person = options.person === undefined ? undefined : cleanName(options.person)
  // nobody's name would make it an invitation for a device of one's own, with an owner's rights
  if (person === '') throw new MeshError('usage', 'A name needs at least one visible character.')
  const role: Role = person === undefined ? own.role : (options.role ?? 'member')
  const object = person === undefined ? 'own-device' : (`new-${role}` as const)
  if (!authorize(own.role, 'invite', object).allowed)
    throw new MeshError('unauthorized', 'The role of your person in this mesh does not allow this invitation.')
  const lifetimeMs = Math.min(Math.max(options.lifetimeMs ?? INVITATION_LIFETIME_MS, 1_000), INVITATION_MAX_LIFETIME_MS)
  const secret = random.bytes(SECRET_BYTES)
  const terms = {
    person: person === undefined ? own.person : { name: person },
    role,
    confirmation: options.confirmation,
    now: clock.now(),
    lifetimeMs,
  }
  const draft = inviteDraft(secret, membership.self, terms)
  await membership.ledger().append(draft, { signal: options.signal })
  const fragment = formatInvitation({
    inviter: membership.self,
    inviterName: own.name,
    mesh: membership.ledger().mesh,
    secret,
    addresses: doors(ports),
    expiresAt: draft.expiresAt,
    person: person ?? '',
    role,
    confirmation: options.confirmation,
  })
  return {
    id: invitationIdOfKey(invitationKey(secret).publicKey),
    fragment,
    url: ports.linkTo(fragment),
    expiresAt: draft.expiresAt,
    confirmation: options.confirmation,
  }
}

function refuseTooMany({ membership, clock }: InvitingPorts): void {
  const now = clock.now()
  const ledger = membership.ledger()
  const open = [...ledger.state().invitations.values()].filter(
    (one) => one.state === 'open' && !isOver(one, { now, seenAt: ledger.receivedAt(one.entry) }),
  )
  if (open.length >= INVITATIONS_MAX_OPEN) {
    throw new MeshError(
      'refused',
      `There are ${String(INVITATIONS_MAX_OPEN)} open invitations already. Wait until some expire.`,
    )
  }
}

/**
 * The addresses a link carries: this device's, then those of a helper that is up and admits
 * in its place: one of this person's before anybody else's. A door of somebody else can let
 * nobody into anything but what the link says, which the joiner checks; it could refuse.
 */
function doors({ membership, links, addresses }: InvitingPorts): string[] {
  const ownPerson = membership.admitted(membership.self)?.person
  const own = dialable(addresses()).map((address) => address.replace(/\/p2p\/[^/]+$/, ''))
  const others = membership
    .members()
    .filter((member) => member.kind === 'helper' && member.id !== membership.self)
    .filter((member) => membership.admitted(member.id) !== undefined && links.view(member.id).state === 'online')
    .sort((a, b) => Number(b.person === ownPerson) - Number(a.person === ownPerson))
    .slice(0, OTHER_DOORS_MAX)
    .flatMap((member) => dialable(links.view(member.id).capability?.addresses ?? []).map(named(member.id)))
  // a device that nobody can dial is reached by the other alone
  const ownShare = others.length === 0 ? LINK_MAX_ADDRESSES : LINK_MAX_ADDRESSES / 2
  return [...own.slice(0, ownShare), ...others].slice(0, LINK_MAX_ADDRESSES)
}

function named(device: DeviceId): (address: string) => string {
  return (address) => (address.includes('/p2p/') ? address : `${address}/p2p/${device}`)
}

/** What a browser can dial, every way to the likeliest hosts first. */
function dialable(addresses: readonly string[]): string[] {
  // plain TCP is for helpers, which speak WebSocket as well
  return byHost(addresses.filter((address) => !/\/tcp\/\d+(?:\/p2p\/[^/]+)?$/.test(address)))
}
