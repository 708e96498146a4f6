import { MeshError, sleep, throwIfAborted, type Clock, type DeviceId } from './base/index.ts'
import {
  cleanName,
  openRoster,
  parseInvitation,
  type InvitationLink,
  type Membership,
  type SignedRoster,
} from './identity/index.ts'
import type { DeviceKind, DeviceView, InvitationPreview, Mesh } from './mesh-types.ts'
import { proveInvitation, type AddressBook, type Links } from './net/index.ts'

/** How long the inviter may take to come online after it admitted this device, in ms. */
const ONLINE_WITHIN_MS = 10_000
/** How often the wait looks again, in ms. */
const LOOK_AGAIN_MS = 250

interface JoinPorts {
  readonly self: DeviceId
  readonly clock: Clock
  readonly kind: DeviceKind
  readonly membership: Membership
  readonly links: Links
  readonly book: AddressBook
  readonly viewOf: (id: DeviceId) => DeviceView
}

interface Cancellable {
  readonly signal?: AbortSignal | undefined
}

/** The joining side of an invitation. */
export interface Joining {
  readonly preview: Mesh['preview']
  readonly join: Mesh['join']
}

/** Reads links and answers invitations for this device. */
export function createJoining(ports: JoinPorts): Joining {
  const { self, clock, membership, links, book } = ports

  const isKnown = (inviter: DeviceId): boolean => inviter !== self && membership.entryOn(inviter, self) !== undefined

  const refuseExpired = (link: InvitationLink): void => {
    if (link.expiresAt <= clock.now()) {
      throw new MeshError('invitation-expired', 'This invitation has expired. Ask for a new link.')
    }
  }

  /** The inviter's own list with both devices on it, or nothing: any other would be followed for ever. */
  const checkList = async (signed: SignedRoster, inviter: DeviceId): Promise<void> => {
    const { issuer, devices } = await openRoster(signed)
    const isActive = (id: DeviceId): boolean => devices.some((entry) => entry.id === id && entry.removedAt === null)
    if (issuer === inviter && isActive(self) && isActive(inviter)) return
    throw new MeshError(
      'integrity',
      'The inviting device answered with a list that is not its own. Nothing was joined.',
      {
        fault: 'peer',
      },
    )
  }

  const untilOnline = async (id: DeviceId, cancel: Cancellable): Promise<DeviceView> => {
    links.wake()
    const startedAt = clock.monotonic()
    while (links.view(id).state !== 'online' && clock.monotonic() - startedAt < ONLINE_WITHIN_MS) {
      throwIfAborted(cancel.signal)
      await sleep(clock, LOOK_AGAIN_MS, cancel)
    }
    return ports.viewOf(id)
  }

  const prove = async (link: InvitationLink, options: Parameters<Mesh['join']>[1] = {}): Promise<void> => {
    const { onProgress } = options
    const signal = options.signal ?? new AbortController().signal
    onProgress?.({ phase: 'connecting' })
    const connection = await links.dialOnce(link.inviter, link.addresses, { signal })
    try {
      onProgress?.({ phase: 'proving' })
      links.spare(link.inviter)
      const own = { id: self, name: membership.entryOn(self, self)?.name ?? '', kind: ports.kind }
      const roster = await proveInvitation(
        connection,
        link,
        own,
        { clock },
        {
          signal,
          onPictures: (pictures) => onProgress?.({ phase: 'comparing', pictures }),
        },
      )
      await checkList(roster, link.inviter)
      await membership.follow(roster, { signal })
    } finally {
      // the link proper is a new connection: as a member, the relay serves it from the start
      connection.abort(new MeshError('aborted', 'The invitation was answered.'))
    }
  }

  return {
    preview(text): InvitationPreview {
      const link = parseInvitation(text)
      const known = isKnown(link.inviter)
      if (!known) refuseExpired(link)
      return {
        inviter: link.inviter,
        inviterName: cleanName(link.inviterName),
        role: link.person === '' ? 'owner' : 'member',
        person: cleanName(link.person),
        confirmation: link.confirmation,
        expiresAt: link.expiresAt,
        known,
      }
    },
    async join(text, options = {}) {
      const link = parseInvitation(text)
      options.onProgress?.({ phase: 'finding' })
      if (link.inviter === self) {
        throw new MeshError('usage', 'This invitation was made by this very device. Open it on another one.')
      }
      if (!isKnown(link.inviter)) {
        refuseExpired(link)
        await prove(link, options)
      }
      book.learn(link.inviter, link.addresses)
      const inviter = await untilOnline(link.inviter, { signal: options.signal })
      options.onProgress?.({ phase: 'admitted' })
      return inviter
    },
  }
}
