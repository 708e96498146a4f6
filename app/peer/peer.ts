import * as z from 'zod/mini'
import {
  asId,
  asMeshError,
  createEvents,
  isAbort,
  MeshError,
  type ChatId,
  type Clock,
  type EventSource,
  type Logger,
  type Random,
  type Store,
} from '../../mesh/base/index.ts'
import type { Mesh } from '../../mesh/mesh-types.ts'
import { createChats } from '../../mesh/state/index.ts'
import { createAnswering } from './answering.ts'
import type { AppPeer, PendingInvitation, PeerState } from './app-peer.ts'
import { makeDeviceName } from './device-name.ts'
import { createLeadership, type ChannelPort, type LockPort } from './leadership.ts'

/** How often the wall clock is looked at, and the jump that means this device slept, in ms. */
const LOOK_MS = 1_000
const SLEPT_MS = 3_000

const EPOCH_KEY = 'page/epoch'
const NAME_KEY = 'page/device-name'
const NAME_MAX_BYTES = 240

/** What {@link OpenMesh} is given. */
export interface OpenMeshOptions {
  readonly store: Store
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
  readonly deviceName: string
  readonly signal: AbortSignal
}

/** Starts the mesh of this device. */
export type OpenMesh = (options: OpenMeshOptions) => Promise<Mesh>

/** What happens to the page: it came back (visible, online, out of the cache), or it is going. */
export type LifeEvent = 'resumed' | 'leaving'

/** What the peer of a browser stands on. */
export interface PeerPorts {
  /** Already open, so that the chats are there at the first paint. */
  readonly store: Store
  readonly storage: PeerState['storage']
  /** Why the storage is not the durable one. */
  readonly storageProblem?: MeshError | undefined
  /** Told later: another version of the page is in the way. */
  readonly storageTrouble?: EventSource<MeshError> | undefined
  readonly locks: LockPort
  readonly channel: ChannelPort
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
  readonly life: EventSource<LifeEvent>
  readonly openMesh: OpenMesh
}

const chatNewsSchema = z.object({ type: z.literal('chat'), chat: z.string().check(z.maxLength(64)) })

/**
 * Opens this tab's view of the profile's peer: the chats at once, the mesh when this
 * tab leads. Owns the life cycle of everything below it.
 * @throws MeshError of the Store when the chats cannot be read at all.
 */
export async function createAppPeer(
  ports: PeerPorts,
  options: { readonly link?: string | undefined } = {},
): Promise<AppPeer> {
  const { store, clock, random, channel } = ports
  const log = ports.log.child('peer')
  const closing = new AbortController()
  const changes = createEvents<void>((error) => {
    log.error('a listener failed', { error })
  })
  let current: PeerState = {
    standing: 'starting',
    mesh: undefined,
    leaderSilent: false,
    invitation: undefined,
    problem: ports.storageProblem,
    storage: ports.storage,
  }
  const update = (patch: Partial<PeerState>): void => {
    current = { ...current, ...patch }
    changes.emit()
  }

  const othersMayWrite = (): boolean => current.standing !== 'leader'
  const chats = await createChats({ store, clock, random, log: ports.log, othersMayWrite }, { signal: closing.signal })
  const answering = createAnswering({
    chats,
    clock,
    log: ports.log,
    mesh: () => current.mesh,
    mayAsk: () => current.standing !== 'follower',
    peerChanges: changes,
  })

  // ---- the other tabs ----

  const news = new Set<ChatId>()
  /** One word for all that was stored in one turn. */
  const tellNews = async (): Promise<void> => {
    await Promise.resolve()
    for (const id of news) channel.post({ type: 'chat', chat: id })
    news.clear()
  }
  const endNews = chats.changes.subscribe(({ chat, stored }) => {
    if (!stored || chat === null) return
    if (news.size === 0) void tellNews()
    news.add(chat)
  })

  const refresh = (chat?: ChatId): void => {
    chats.refresh({ chat, signal: closing.signal }).catch((error: unknown) => {
      if (!isAbort(error)) log.warn('what another tab wrote could not be read', { error })
    })
  }

  const endChannel = channel.subscribe((message) => {
    const parsed = z.safeParse(chatNewsSchema, message)
    if (parsed.success) refresh(asId<ChatId>(parsed.data.chat))
  })

  // ---- the mesh ----

  let link: string | undefined
  let term = 0
  let opening: AbortController | undefined
  let endMeshEvents: (() => void) | undefined

  const startMesh = async (): Promise<void> => {
    if (opening !== undefined || current.mesh !== undefined || current.standing !== 'leader') return
    const own = new AbortController()
    opening = own
    const ownTerm = term
    if (current.problem !== undefined && current.problem !== ports.storageProblem)
      update({ problem: ports.storageProblem })
    try {
      const deviceName = await loadName()
      const mesh = await ports.openMesh({ store, clock, random, log: ports.log, deviceName, signal: own.signal })
      if (own.signal.aborted || ownTerm !== term || closing.signal.aborted) {
        await mesh.stop()
        return
      }
      endMeshEvents = mesh.events.subscribe((event) => {
        if (event.type === 'device-changed' && event.device.id === mesh.self) keepName(event.device.name)
      })
      update({ mesh })
      readLink()
    } catch (error) {
      if (own.signal.aborted) return
      const problem = asMeshError(error)
      log.error('the peer did not start', { code: problem.code, error })
      update({ problem })
    } finally {
      if (opening === own) opening = undefined
    }
  }

  const stopMesh = async (): Promise<void> => {
    opening?.abort(new MeshError('aborted', 'Stopped.'))
    opening = undefined
    joining?.abort(new MeshError('aborted', 'Stopped.'))
    endMeshEvents?.()
    endMeshEvents = undefined
    const { mesh } = current
    if (mesh === undefined) return
    update({ mesh: undefined })
    await mesh.stop()
  }

  const loadName = async (): Promise<string> => {
    const bytes = await store.get(NAME_KEY)
    if (bytes !== undefined && bytes.length <= NAME_MAX_BYTES) return new TextDecoder().decode(bytes)
    const name = makeDeviceName(random)
    keepName(name)
    return name
  }

  let keptName: string | undefined
  const keepName = (name: string): void => {
    if (name === keptName) return
    keptName = name
    store.put(NAME_KEY, new TextEncoder().encode(name)).catch((error: unknown) => {
      keptName = undefined
      log.warn('the name of this device could not be stored', { error })
    })
  }

  // ---- who leads ----

  const leadership = createLeadership(
    {
      locks: ports.locks,
      channel,
      clock,
      random,
      log: ports.log,
      async readEpoch() {
        const bytes = await store.get(EPOCH_KEY)
        const epoch = bytes === undefined ? 0 : Number(new TextDecoder().decode(bytes))
        return Number.isSafeInteger(epoch) && epoch > 0 ? epoch : 0
      },
      writeEpoch: (epoch) => store.put(EPOCH_KEY, new TextEncoder().encode(String(epoch))),
    },
    {
      begin() {
        term += 1
        lead().catch((error: unknown) => {
          log.error('this tab could not begin to lead', { error })
        })
      },
      async end(reason) {
        term += 1
        const interrupted = answering.interrupt({
          code: 'aborted',
          message: 'This answer was interrupted: the conversation moved to another tab.',
        })
        // a fenced tab must be silent on the network before it is tidy
        if (reason === 'released') await interrupted
        await stopMesh()
        await interrupted
      },
    },
  )

  const lead = async (): Promise<void> => {
    try {
      await chats.closeAbandoned({ signal: closing.signal })
    } catch (error) {
      if (isAbort(error)) return
      update({ problem: asMeshError(error, 'storage-failed') })
    }
    await startMesh()
  }

  const followLeadership = (): void => {
    const { role, leaderSilent } = leadership.state()
    if (role === current.standing && leaderSilent === current.leaderSilent) return
    const before = current.standing
    update({ standing: role, leaderSilent })
    if (role === 'follower' && before === 'leader') refresh()
    // a link was opened in this tab: it is here that the person wants to go on
    if (role === 'follower' && link !== undefined && before === 'starting') moveHere()
  }
  const endLeadership = leadership.changes.subscribe(followLeadership)

  const moveHere = (): void => {
    leadership.takeOver({ signal: closing.signal }).catch((error: unknown) => {
      if (!isAbort(error)) log.info('the peer did not move here', { error })
    })
  }

  // ---- joining ----

  let joining: AbortController | undefined

  const invite = (invitation: PendingInvitation | undefined): void => {
    update({ invitation })
  }

  /** Shows what a pending link says, once the mesh is there to read it. */
  const readLink = (): void => {
    const { mesh } = current
    if (link === undefined || mesh === undefined) return
    try {
      const preview = mesh.preview(link)
      if (preview.known) {
        meetAgain(mesh, link)
        return
      }
      invite({ phase: 'offered', preview })
    } catch (error) {
      invite({ phase: 'failed', error: asMeshError(error, 'malformed') })
    }
  }

  /** Nothing is left to agree to, but the link may say where the inviter is now. */
  const meetAgain = (mesh: Mesh, known: string): void => {
    dismiss()
    mesh.join(known, { signal: closing.signal }).catch((error: unknown) => {
      if (!isAbort(error)) log.info('the device of the link did not answer', { code: asMeshError(error).code })
    })
  }

  const dismiss = (): void => {
    joining?.abort(new MeshError('aborted', 'Stopped.'))
    link = undefined
    invite(undefined)
  }

  const offer = (given: string): void => {
    joining?.abort(new MeshError('aborted', 'Stopped.'))
    link = given
    invite({ phase: 'reading' })
    readLink()
    if (current.standing === 'follower') moveHere()
  }

  const accept = async (): Promise<void> => {
    const { mesh } = current
    const preview = current.invitation?.preview
    if (mesh === undefined || link === undefined || preview === undefined || joining !== undefined) return
    const own = new AbortController()
    joining = own
    invite({ phase: 'joining', preview })
    try {
      await mesh.join(link, {
        signal: own.signal,
        onProgress(progress) {
          if (joining === own) invite({ phase: 'joining', preview, progress })
        },
      })
      if (joining === own) {
        link = undefined
        invite(undefined)
      }
    } catch (error) {
      if (joining !== own || isAbort(error)) return
      invite({ phase: 'failed', preview, error: asMeshError(error) })
    } finally {
      if (joining === own) joining = undefined
    }
  }

  // ---- sleep and waking ----

  const resumed = (): void => {
    if (current.mesh !== undefined) current.mesh.wake()
    else void startMesh()
    refresh()
  }

  const leaving = async (): Promise<void> => {
    const interrupted = answering.interrupt({
      code: 'aborted',
      message: 'This answer was interrupted: the page was closed while it was being written.',
    })
    await Promise.all([stopMesh(), interrupted])
  }

  const endLife = ports.life.subscribe((event) => {
    if (event === 'resumed') resumed()
    else {
      leaving().catch((error: unknown) => {
        log.warn('the page did not close cleanly', { error })
      })
    }
  })

  let cancelLook: (() => void) | undefined
  let lookedAtMs = clock.now()
  const look = (): void => {
    const now = clock.now()
    if (Math.abs(now - lookedAtMs - LOOK_MS) > SLEPT_MS) current.mesh?.wake()
    lookedAtMs = now
    cancelLook = clock.schedule(LOOK_MS, look)
  }
  cancelLook = clock.schedule(LOOK_MS, look)

  const endTrouble = ports.storageTrouble?.subscribe((problem) => {
    update({ problem })
  })

  if (options.link !== undefined) offer(options.link)
  followLeadership()

  return {
    chats,
    answering,
    changes,
    state: () => current,
    takeOver: (takeOptions) => leadership.takeOver(takeOptions),
    offer,
    accept,
    dismiss,
    retry() {
      if (current.standing === 'leader') void startMesh()
      else moveHere()
    },
    async close() {
      cancelLook?.()
      await leadership.close()
      await answering.interrupt({ code: 'aborted', message: 'This answer was interrupted: the page was closed.' })
      await stopMesh()
      closing.abort(new MeshError('aborted', 'Stopped.'))
      for (const end of [endNews, endChannel, endLeadership, endLife, endTrouble]) end?.()
      await store.close()
    },
  }
}
