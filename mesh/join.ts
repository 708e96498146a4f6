import { MeshError, sleep, throwIfAborted, type Clock, type DeviceId, type Random } from './base/index.ts'
import {
  admissionProof,
  cleanName,
  comparePictures,
  invitationIdOfKey,
  invitationKey,
  knockProof,
  makeWords,
  parseInvitation,
  secretOfWords,
  type InvitationLink,
  type Membership,
} from './identity/index.ts'
import { doorsOf } from './doors.ts'
import type { DeviceView, Door, InvitationPreview, Mesh } from './mesh-types.ts'
import { knockAt, proveInvitation, type AddressBook, type Links } from './net/index.ts'

/** How long the inviter may take to come online after it admitted this device, in ms. */
const ONLINE_WITHIN_MS = 10_000
/** How often the wait looks again, in ms. */
const LOOK_AGAIN_MS = 250

interface JoinPorts {
  readonly self: DeviceId
  readonly clock: Clock
  readonly random: Random
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
  readonly knock: Mesh['knock']
  /** The first of these devices whose link comes up within some seconds, else one that is known at all. */
  untilOnline(doors: readonly Door[], cancel: Cancellable): Promise<DeviceView>
}

/** Reads links and answers invitations for this device. */
export function createJoining(ports: JoinPorts): Joining {
  const { self, clock, membership, links, book } = ports

  const isKnown = (link: InvitationLink): boolean =>
    link.mesh === membership.ledger().mesh && membership.standing() !== 'removed'

  const refuseExpired = (link: InvitationLink): void => {
    if (link.expiresAt <= clock.now()) {
      throw new MeshError('invitation-expired', 'This invitation has expired. Ask for a new link.')
    }
  }

  const untilOnline = async (doors: readonly Door[], cancel: Cancellable): Promise<DeviceView> => {
    links.wake()
    const startedAt = clock.monotonic()
    const known = doors.filter((door) => membership.admitted(door.device) !== undefined)
    const online = (): Door | undefined => known.find((door) => links.view(door.device).state === 'online')
    while (online() === undefined && clock.monotonic() - startedAt < ONLINE_WITHIN_MS) {
      throwIfAborted(cancel.signal)
      await sleep(clock, LOOK_AGAIN_MS, cancel)
    }
    return ports.viewOf((online() ?? known[0])?.device ?? self)
  }

  const prove = async (link: InvitationLink, door: Door, options: Parameters<Mesh['join']>[1] = {}): Promise<void> => {
    const { onProgress } = options
    const signal = options.signal ?? new AbortController().signal
    onProgress?.({ phase: 'connecting' })
    const connection = await links.dialOnce(door.device, door.addresses, { signal })
    try {
      onProgress?.({ phase: 'proving' })
      links.spare(door.device)
      const key = invitationKey(link.secret)
      const certificate = await membership.certificate()
      const own = {
        invitation: invitationIdOfKey(key.publicKey),
        certificate,
        proof: admissionProof(key.privateKey, link.mesh, certificate),
      }
      const onCompare = (nonce: Uint8Array): void => {
        onProgress?.({ phase: 'comparing', pictures: comparePictures(link.inviter, self, nonce) })
      }
      const entries = await proveInvitation(connection, own, { clock }, { signal, onCompare })
      await membership.adopt(link.mesh, entries, { signal })
    } finally {
      // the link proper is a new connection: as a member, the relay serves it from the start
      connection.abort(new MeshError('aborted', 'The invitation was answered.'))
    }
  }

  /** One after the other: the inviter itself, then the devices it named beside itself. */
  const proveSomewhere = async (
    link: InvitationLink,
    doors: readonly Door[],
    options: Parameters<Mesh['join']>[1],
  ): Promise<void> => {
    let failure: unknown = new MeshError('offline', 'The link names no address that this device could reach.')
    for (const door of doors) {
      try {
        await prove(link, door, options)
        return
      } catch (error) {
        failure = error
        // a device that was reached has said what there is to say
        if (!(error instanceof MeshError) || (error.code !== 'offline' && error.code !== 'timeout')) throw error
      }
    }
    throw failure
  }

  return {
    untilOnline,
    preview(text): InvitationPreview {
      const link = parseInvitation(text)
      const known = isKnown(link)
      if (!known) refuseExpired(link)
      return {
        inviter: link.inviter,
        inviterName: cleanName(link.inviterName),
        role: link.role,
        person: cleanName(link.person),
        confirmation: link.confirmation,
        expiresAt: link.expiresAt,
        known,
        leaves: membership.members().filter((member) => member.id !== self && member.removedAt === null).length,
      }
    },
    async join(text, options = {}) {
      const link = parseInvitation(text)
      options.onProgress?.({ phase: 'finding' })
      if (link.inviter === self) {
        throw new MeshError('usage', 'This invitation was made by this very device. Open it on another one.')
      }
      const doors = doorsOf(link)
      if (!isKnown(link)) {
        refuseExpired(link)
        await proveSomewhere(link, doors, options)
      }
      for (const { device, addresses } of doors) {
        if (membership.admitted(device) !== undefined) book.learn(device, addresses)
      }
      const inviter = await untilOnline(doors, { signal: options.signal })
      options.onProgress?.({ phase: 'admitted' })
      return inviter
    },
    async knock(door, options) {
      const signal = options.signal ?? new AbortController().signal
      const words = makeWords(ports.random)
      const key = invitationKey(await secretOfWords(words))
      const certificate = await membership.certificate()
      const connection = await links.dialOnce(door.device, door.addresses, { signal })
      try {
        links.spare(door.device)
        options.onWords(words)
        const own = { certificate, key: key.publicKey, proof: knockProof(key.privateKey, certificate) }
        const { mesh, entries } = await knockAt(connection, own, { clock }, { signal })
        await membership.adopt(mesh, entries, { signal, invitation: invitationIdOfKey(key.publicKey) })
      } finally {
        connection.abort(new MeshError('aborted', 'The words were typed, or are not shown any more.'))
      }
      if (membership.admitted(door.device) !== undefined) book.learn(door.device, door.addresses)
      return untilOnline([door], { signal: options.signal })
    },
  }
}
