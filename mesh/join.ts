import {
  isMeshError,
  MeshError,
  sleep,
  throwIfAborted,
  type Clock,
  type DeviceId,
  type MeshId,
  type Random,
} from './base/index.ts'
import { createComparingHere } from './comparing-here.ts'
import {
  admissionProof,
  cleanName,
  invitationIdOfKey,
  invitationKey,
  knockProof,
  makeWords,
  parseInvitation,
  secretOfWords,
  type ConsentTerms,
  type InvitationLink,
  type Membership,
} from './identity/index.ts'
import { doorsOf } from './doors.ts'
import type { AtStake, DeviceView, Door, InvitationPreview, JoinOptions, LinkContext, Mesh } from './mesh-types.ts'
import { knockAt, proveInvitation, type AddressBook, type Links, type PicturesAtJoiner } from './net/index.ts'

/** How long the inviter may take to come online after it admitted this device, in ms. */
const ONLINE_WITHIN_MS = 10_000
/** How often the wait looks again, in ms. */
const LOOK_AGAIN_MS = 250
/** How often a comparison is begun anew when the device that takes part in it goes away. */
const ROUNDS_MAX = 4

interface JoinPorts {
  readonly self: DeviceId
  readonly clock: Clock
  readonly random: Random
  readonly membership: Membership
  readonly links: Links
  readonly book: AddressBook
  readonly viewOf: (id: DeviceId) => DeviceView
  /** What this device holds that would be shared. */
  readonly atStake: () => Promise<Omit<AtStake, 'devices'>>
}

interface Cancellable {
  readonly signal?: AbortSignal | undefined
}

/** The joining side of an invitation. */
export interface Joining {
  readonly preview: Mesh['preview']
  readonly join: Mesh['join']
  readonly agreeToJoin: Mesh['agreeToJoin']
  readonly knock: Mesh['knock']
  /** The first of these devices whose link comes up within some seconds, else one that is known at all. */
  untilOnline(doors: readonly Door[], cancel: Cancellable): Promise<DeviceView>
}

/** How one link is joined by. */
interface Plan {
  readonly compares: InvitationPreview['compares']
  readonly doors: readonly Door[]
}

/** Reads links and answers invitations for this device. */
export function createJoining(ports: JoinPorts): Joining {
  const { self, clock, membership, links, book } = ports
  const comparing = createComparingHere(ports)

  const isKnown = (link: InvitationLink): boolean =>
    link.mesh === membership.ledger().mesh && membership.standing() !== 'removed'

  const refuseExpired = (link: InvitationLink): void => {
    if (link.expiresAt <= clock.now()) {
      throw new MeshError('invitation-expired', 'This invitation has expired. Ask for a new link.')
    }
  }

  const stake = async (): Promise<AtStake> => {
    const devices = membership.members().filter(({ id, removedAt }) => id !== self && removedAt === null).length
    return { ...(await ports.atStake()), devices: membership.standing() === 'member' ? devices : 0 }
  }

  /** Noise proves it: what listens at the very place the page came from has the inviter's key. */
  const isServedBy = async (inviter: DeviceId, page: string, signal: AbortSignal): Promise<boolean> => {
    try {
      const connection = await links.dialOnce(inviter, [page], { signal })
      connection.abort(new MeshError('aborted', 'The device at this place was proven.'))
      return true
    } catch (error) {
      throwIfAborted(signal)
      if (error instanceof MeshError) return false
      throw error
    }
  }

  /**
   * Without pictures only where nothing can be lost by it: this device holds nothing yet and
   * the link did not come from elsewhere, or its person gave it the link of the very helper
   * that serves this page. What a link says of itself plays no part, but that it wants pictures.
   */
  const planFor = async (
    link: InvitationLink,
    { chats, rooms, devices }: AtStake,
    { opened = 'unknown', page }: LinkContext,
    signal: AbortSignal,
  ): Promise<Plan> => {
    const doors = doorsOf(link)
    const isFresh = chats + rooms + devices === 0
    if (isFresh && opened !== 'elsewhere')
      return { doors, compares: link.confirmation === 'pictures' ? 'there' : 'nowhere' }
    const mayBeOwn = link.confirmation === 'in-advance' && opened === 'by-hand' && page !== undefined
    if (mayBeOwn && (await isServedBy(link.inviter, page, signal)))
      return { doors: [{ device: link.inviter, addresses: [page] }], compares: 'nowhere' }
    return { doors, compares: 'both' }
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

  const prove = async (
    link: InvitationLink,
    door: Door,
    compares: Plan['compares'],
    options: JoinOptions & { readonly signal: AbortSignal },
  ): Promise<void> => {
    const { onProgress, signal } = options
    onProgress?.({ phase: 'connecting' })
    const connection = await links.dialOnce(door.device, door.addresses, { signal })
    try {
      onProgress?.({ phase: 'proving' })
      links.spare(door.device)
      const key = invitationKey(link.secret)
      const certificate = await membership.certificate()
      const asks = compares === 'both'
      const here = comparing.begin(link, certificate, {
        ...{ asks, signal },
        onPictures(pictures) {
          onProgress?.({ phase: 'comparing', pictures, asks })
        },
      })
      const own = {
        invitation: invitationIdOfKey(key.publicKey),
        certificate,
        proof: admissionProof(key.privateKey, link.mesh, certificate),
        commitment: here.commitment,
        pictures: compares !== 'nowhere',
      }
      const pictures: PicturesAtJoiner = {
        ...here.pictures,
        async consent() {
          // first this person's yes to what is shown, then this device's signature for just that
          await here.agreed()
          return membership.consent(termsOfLink(link), { mesh: link.mesh, key: key.publicKey, certificate })
        },
      }
      const entries = await proveInvitation(connection, own, { clock }, { signal, pictures })
      await here.agreed()
      await membership.adopt(link.mesh, entries, { by: 'link', link }, { signal })
    } finally {
      // the link proper is a new connection: as a member, the relay serves it from the start
      connection.abort(new MeshError('aborted', 'The invitation was answered.'))
    }
  }

  /** One after the other: the inviter itself, then the devices it named beside itself. */
  const proveSomewhere = async (
    link: InvitationLink,
    { doors, compares }: Plan,
    options: JoinOptions & { readonly signal: AbortSignal },
  ): Promise<void> => {
    let failure: unknown = new MeshError('offline', 'The link names no address that this device could reach.')
    for (const [at, door] of doors.entries()) {
      try {
        await prove(link, door, compares, options)
        return
      } catch (error) {
        failure = error
        // a device that was reached has said what there is to say; one that lies has not, if there is another
        const mayGoOn = isUnreached(error) || (isMeshError(error, 'integrity') && at + 1 < doors.length)
        if (!mayGoOn) throw error
      }
    }
    throw failure
  }

  /** Again from the beginning, with fresh numbers, where the device that compared went away in the middle. */
  const proveInRounds = async (
    link: InvitationLink,
    plan: Plan,
    options: JoinOptions & { readonly signal: AbortSignal },
  ): Promise<void> => {
    for (let round = 1; ; round++) {
      const seen = { pictures: false }
      const onProgress: JoinOptions['onProgress'] = (progress) => {
        seen.pictures ||= progress.phase === 'comparing'
        options.onProgress?.(progress)
      }
      try {
        await proveSomewhere(link, plan, { ...options, onProgress })
        return
      } catch (error) {
        if (!seen.pictures || !isMeshError(error, 'offline') || round >= ROUNDS_MAX) throw error
      }
    }
  }

  return {
    untilOnline,
    async preview(text, { signal = new AbortController().signal, ...context } = {}): Promise<InvitationPreview> {
      const link = parseInvitation(text)
      const known = isKnown(link)
      if (!known) refuseExpired(link)
      const atStake = await stake()
      const plan = known ? undefined : await planFor(link, atStake, context, signal)
      return {
        inviter: link.inviter,
        inviterName: cleanName(link.inviterName),
        role: link.role,
        person: cleanName(link.person),
        compares: plan?.compares ?? 'nowhere',
        fromElsewhere: context.opened === 'elsewhere',
        expiresAt: link.expiresAt,
        known,
        atStake,
      }
    },
    async join(text, options = {}) {
      const signal = options.signal ?? new AbortController().signal
      const link = parseInvitation(text)
      options.onProgress?.({ phase: 'finding' })
      if (link.inviter === self) {
        throw new MeshError('usage', 'This invitation was made by this very device. Open it on another one.')
      }
      const doors = doorsOf(link)
      if (!isKnown(link)) {
        refuseExpired(link)
        await proveInRounds(link, await planFor(link, await stake(), options, signal), { ...options, signal })
      }
      for (const { device, addresses } of doors) {
        if (membership.admitted(device) !== undefined) book.learn(device, addresses)
      }
      const inviter = await untilOnline(doors, { signal })
      options.onProgress?.({ phase: 'admitted' })
      return inviter
    },
    agreeToJoin(text, matches) {
      comparing.answer(parseInvitation(text), matches)
      return Promise.resolve()
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
        const own = {
          certificate,
          key: key.publicKey,
          proof: knockProof(key.privateKey, certificate),
          consent: (mesh: MeshId) => membership.consent({ by: 'words' }, { mesh, key: key.publicKey, certificate }),
        }
        const { mesh, entries } = await knockAt(connection, own, { clock }, { signal })
        await adoptByWords(mesh, entries, key.publicKey, signal)
      } finally {
        connection.abort(new MeshError('aborted', 'The words were typed, or are not shown any more.'))
      }
      if (membership.admitted(door.device) !== undefined) book.learn(door.device, door.addresses)
      return untilOnline([door], { signal: options.signal })
    },
  }

  function adoptByWords(
    mesh: MeshId,
    entries: readonly Uint8Array[],
    key: Uint8Array,
    signal: AbortSignal,
  ): Promise<void> {
    return membership.adopt(mesh, entries, { by: 'words', invitation: invitationIdOfKey(key) }, { signal })
  }
}

/** As what its link says that this device comes. */
function termsOfLink({ inviter, person, role, confirmation }: InvitationLink): ConsentTerms {
  return { by: 'link', inviter, person: cleanName(person), role, confirmation }
}

function isUnreached(error: unknown): boolean {
  return isMeshError(error, 'offline') || isMeshError(error, 'timeout')
}
