import {
  createEvents,
  isAbort,
  isMeshError,
  MeshError,
  sortableId,
  type Clock,
  type EventSource,
  type Logger,
  type Random,
  type RoomId,
  type Store,
} from '../../mesh/base/index.ts'
import type { Door, LinkOpened } from '../../mesh/mesh-types.ts'
import { createChats, entryId } from '../../mesh/state/index.ts'
import { createAnswering } from './answering.ts'
import type { AppPeer, PeerState } from './app-peer.ts'
import { createChatNews } from './chat-news.ts'
import { followElsewhere, loadDevices } from './chats-elsewhere.ts'
import { guardStore } from './guarded-store.ts'
import { createInvitations } from './invitation.ts'
import { createLeadership, type ChannelPort, type LockPort } from './leadership.ts'
import { createOwnMesh, type OpenMesh } from './own-mesh.ts'
import { createOwnRooms } from './own-rooms.ts'
import { createCaller, createDesk, createHearing, createRoomHearing, type Leader, type Place } from './remote/index.ts'
import { shareAnswering } from './shared-answering.ts'
import type { Attention } from './rooms-port.ts'
import { readAgain, shareChats } from './shared-chats.ts'
import { shareRooms } from './shared-rooms.ts'
import { createTerm, type Term } from './term.ts'

/** How often the wall clock is looked at, and the jump that means this device slept, in ms. */
const LOOK_MS = 1_000
const SLEPT_MS = 3_000

const EPOCH_KEY = 'page/epoch'

/** What happens to the page: it came back (visible, online, out of the cache), or it is going. */
export type LifeEvent = 'resumed' | 'leaving'

/**
 * Finds the helper this page came from.
 * @throws MeshError `no-helper` when it came from elsewhere, `offline`
 */
export type FindHelper = (options: { readonly signal: AbortSignal }) => Promise<Door>

/** What the peer of a browser stands on. */
export interface PeerPorts {
  /** Already open, so that the chats are there at the first paint. */
  readonly store: Store
  readonly storage: PeerState['storage']
  /** Why the storage is not the durable one. */
  readonly storageProblem?: MeshError | undefined
  /** Told later: another version of the page is in the way. */
  readonly storageTrouble?: EventSource<MeshError> | undefined
  /** This page came without protection: see {@link PeerState.guest}. */
  readonly guest?: boolean | undefined
  /** Why a link may not be used here; undefined: it may. */
  readonly refuseLink?: ((link: string) => MeshError | undefined) | undefined
  readonly locks: LockPort
  readonly channel: ChannelPort
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
  readonly life: EventSource<LifeEvent>
  readonly openMesh: OpenMesh
  readonly findHelper: FindHelper
  /** Where the helper of this machine would be reached that served this page; undefined: it came from elsewhere. */
  readonly page?: string | undefined
}

/**
 * Opens this tab's view of the profile's peer: the chats at once; the mesh of its own
 * while this tab leads, else through the tab that does. Owns the life cycle of
 * everything below it.
 * @throws MeshError of the Store when the chats cannot be read at all.
 */
export async function createAppPeer(
  ports: PeerPorts,
  options: { readonly link?: string | undefined; readonly opened?: LinkOpened | undefined } = {},
): Promise<AppPeer> {
  const { clock, random, channel } = ports
  const log = ports.log.child('peer')
  const closing = new AbortController()
  const onListenerError = (error: unknown): void => {
    log.error('a listener failed', { error })
  }
  const changes = createEvents<void>(onListenerError)
  const placeChanges = createEvents<void>(onListenerError)
  const newId = (): string => sortableId(clock.now(), random)
  /** For chats and what is in them: other devices see whose it is. */
  const newChatId = (): string => {
    const id = devices.self()
    return id === undefined ? newId() : entryId(clock.now(), random, id)
  }
  let term: Term | undefined
  /** True once another tab led while this one was open: what it left open may be gone on with. */
  let followed = false
  /** Of the storage; it stays until the person tries again. */
  let trouble: MeshError | undefined

  // ---- what this tab has of its own ----

  const store = guardStore(ports.store, () => leadership.mayWrite())
  const devices = await loadDevices(store, log)
  const chats = await createChats(
    {
      ...{ store, clock, random, log: ports.log },
      othersMayWrite: () => term?.begun !== true,
      toldLive: (answer) => hearing.textOf(answer),
      self: devices.self,
      writers: devices,
    },
    { signal: closing.signal },
  )
  const own = createOwnMesh({ store, clock, random, log, openMesh: ports.openMesh })
  const answering = createAnswering({
    ...{ chats, clock, log: ports.log },
    mesh: own.mesh,
    peerChanges: own.changes,
  })
  const news = createChatNews({ channel, chats, log, signal: closing.signal })
  const elsewhere = followElsewhere({ own, chats, news })

  // ---- who leads ----

  const leadership = createLeadership(
    {
      ...{ locks: ports.locks, channel, clock, random, log: ports.log },
      readEpoch: () => readEpoch(ports),
      writeEpoch: (epoch) => ports.store.put(EPOCH_KEY, new TextEncoder().encode(String(epoch))),
    },
    {
      begin(epoch) {
        term = createTerm({
          ...{ epoch, clock, log, chats, answering, own, rooms: ownRooms },
          self: leadership.self,
          post: channel.post,
          lastOf: hearing.lastOf,
          goOn: followed,
          onBegun: placeChanges.emit,
          onProblem: haveTrouble,
        })
      },
      async end(reason) {
        const ended = term
        term = undefined
        followed = true
        placeChanges.emit()
        await ended?.end(reason)
      },
    },
  )

  const moveHere = (): void => {
    leadership.takeOver({ signal: closing.signal }).catch((error: unknown) => {
      if (!isAbort(error)) log.info('the peer did not move here', { error })
    })
  }

  // ---- the tab that leads, when it is another ----

  const { self } = leadership
  const caller = createCaller({ clock, log, self, post: channel.post, onSilence: moveHere })
  /** Rooms this tab has open, whoever leads. */
  const roomWants = new Map<RoomId, Attention>()
  const roomHearing = createRoomHearing({ log, wants: (room) => roomWants.has(room) })
  const hearing = createHearing({
    ...{ caller, log },
    rooms: roomHearing,
    attach(leader) {
      // first, so that everything that is told holds the rooms as well
      rooms.tell()
      channel.post({ type: 'attach', from: self, to: leader.tab, epoch: leader.epoch })
    },
    refresh: (chat) => readAgain(chats, chat, log),
  })
  const leaderElsewhere = (): Leader | undefined => {
    const { role, leader, epoch } = leadership.state()
    return role !== 'follower' || leader === undefined ? undefined : { tab: leader, epoch }
  }
  const place = (): Place => {
    if (leadership.leads()) return term?.begun === true ? 'here' : 'nowhere'
    return leaderElsewhere() === undefined ? 'nowhere' : 'there'
  }
  const desk = createDesk({ clock, log, caller, place, placeChanges, signal: closing.signal })
  const ownRooms = createOwnRooms({ ...{ self, own, clock, log, placeChanges }, isHere: () => place() === 'here' })
  const rooms = shareRooms({
    ...{ self, clock, log, own: ownRooms, hearing: roomHearing, desk, newId, wants: roomWants },
    tell(wants) {
      const leader = leaderElsewhere()
      if (leader === undefined) return
      const told = [...wants].map(([room, attention]) => ({ room, attention }))
      channel.post({ type: 'wants', from: self, to: leader.tab, epoch: leader.epoch, rooms: told })
    },
  })
  const endChannel = channel.subscribe((message) => {
    term?.hear(message)
    caller.hear(message)
    hearing.hear(message)
  })

  // ---- what the screens see ----

  let current: PeerState = {
    ...{ standing: 'starting', mesh: undefined, leaderSilent: false, invitation: undefined },
    ...{ problem: ports.storageProblem, storage: ports.storage },
    ...(ports.guest === true ? { guest: true } : {}),
  }
  const update = (patch: Partial<PeerState>): void => {
    const before = current
    current = { ...current, ...patch }
    if (Object.keys(patch).every((key) => before[key as keyof PeerState] === current[key as keyof PeerState])) return
    if (current.mesh !== before.mesh) devices.meshIs(current.mesh)
    changes.emit()
    if (current.mesh !== before.mesh) invitations.meshChanged()
  }
  const invitations = createInvitations({
    log,
    mesh: () => current.mesh,
    refuse: ports.refuseLink,
    page: ports.page,
    show(invitation) {
      update({ invitation })
    },
  })
  const lookAgain = (): void => {
    const { role, leaderSilent } = leadership.state()
    update({
      ...{ standing: role, leaderSilent },
      mesh: own.mesh() ?? hearing.mesh(),
      problem: trouble ?? own.problem() ?? hearing.problem() ?? ports.storageProblem,
    })
  }
  const haveTrouble = (problem: MeshError | undefined): void => {
    trouble = problem
    lookAgain()
  }

  const followLeadership = (): void => {
    const { role, leaderSilent } = leadership.state()
    const leader = leaderElsewhere()
    if (leader !== undefined) followed = true
    caller.leaderIs(leader)
    // the last leader may have died between a write and the word of it
    if (hearing.follow(leader) || (role === 'follower' && current.standing === 'leader')) news.refreshAll()
    lookAgain()
    placeChanges.emit()
    // somebody waits here for a tab that says nothing any more
    if (leaderSilent && caller.waits) {
      caller.giveUp()
      moveHere()
    }
  }

  const ends = [
    endChannel,
    leadership.changes.subscribe(followLeadership),
    own.changes.subscribe(lookAgain),
    hearing.changes.subscribe(lookAgain),
    ports.storageTrouble?.subscribe(haveTrouble),
  ]

  // ---- sleep and waking ----

  const resumed = (): void => {
    if (current.mesh !== undefined) current.mesh.wake()
    else if (leadership.leads()) void own.start()
    hearing.again()
    news.refreshAll()
  }

  const leaving = async (): Promise<void> => {
    const message = 'This answer was interrupted: the page was closed while it was being written.'
    const interrupted = answering.interrupt({ code: 'aborted', message })
    rooms.leave()
    await Promise.all([own.stop(), interrupted])
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

  followLeadership()
  if (options.link !== undefined) invitations.offer(options.link, options.opened ?? 'unknown')

  return {
    chats: shareChats({ chats, desk, log, problems: elsewhere.problems, newId: newChatId }),
    answering: shareAnswering({ chats, answering, hearing, desk, log, newId: newChatId }),
    rooms,
    changes,
    state: () => current,
    takeOver: (takeOptions) => leadership.takeOver(takeOptions),
    offer: invitations.offer,
    accept: invitations.accept,
    dismiss: invitations.dismiss,
    agree: invitations.agree,
    async knock(knockOptions) {
      const signal = knockOptions.signal ?? closing.signal
      const door = await ports.findHelper({ signal })
      if (current.mesh === undefined) throw new MeshError('offline', 'The connection of this browser is not up yet.')
      return current.mesh.knock(door, { ...knockOptions, signal })
    },
    async recover(secret, recoverOptions) {
      // whoever altered the page would read the words, and be that person
      if (ports.guest === true)
        throw new MeshError('unsupported', 'This page came without protection, so it takes no recovery words.')
      const { place, ...given } = recoverOptions
      const signal = given.signal ?? closing.signal
      const door = place ?? (await ports.findHelper({ signal }))
      if (current.mesh === undefined) throw new MeshError('offline', 'The connection of this browser is not up yet.')
      return current.mesh.recover(secret, door, { ...given, signal })
    },
    archives() {
      const mesh = own.mesh()
      if (mesh === undefined) return undefined
      return {
        exportAll: mesh.exportAll,
        inspectArchive: mesh.inspectArchive,
        async importAll(bytes, importOptions) {
          const brought = await mesh.importAll(bytes, importOptions)
          await news.changedBelow()
          return brought
        },
      }
    },
    retry() {
      haveTrouble(undefined)
      if (leadership.leads()) void own.start()
      else moveHere()
    },
    async close() {
      cancelLook?.()
      invitations.close()
      await leadership.close()
      closing.abort(new MeshError('aborted', 'Stopped.'))
      caller.leaderIs(undefined)
      hearing.follow(undefined)
      devices.meshIs(undefined)
      elsewhere.end()
      news.close()
      rooms.close()
      for (const end of [...ends, endLife]) end?.()
      await ports.store.close()
    },
  }
}

async function readEpoch({ store, clock, log }: Pick<PeerPorts, 'store' | 'clock' | 'log'>): Promise<number> {
  try {
    const bytes = await store.get(EPOCH_KEY)
    const epoch = bytes === undefined ? 0 : Number(new TextDecoder().decode(bytes))
    return Number.isSafeInteger(epoch) && epoch > 0 ? epoch : 0
  } catch (error) {
    if (!isMeshError(error, 'storage-corrupt')) throw error
    log.warn('which term of its tabs this profile is in is damaged; it goes on far above', { error })
    // above every term that was counted one by one, so that no tab takes the next leader for an older one
    return Math.max(1, Math.floor(clock.now() / 1_000))
  }
}
