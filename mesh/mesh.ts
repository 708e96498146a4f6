import {
  BUDGET_PAGE_WORK_PERCENT,
  createEvents,
  isAbort,
  MeshError,
  MODELS_MAX,
  sleep,
  type Clock,
  type DeviceId,
  type EventHub,
  type Logger,
  type Random,
  type Store,
} from './base/index.ts'
import { createArchives } from './archives.ts'
import { createAskRights } from './ask-rights.ts'
import { createAsk } from './ask.ts'
import { createKeyAsking } from './asking-keys.ts'
import { createMeshChats } from './chats.ts'
import { createTurns, type EngineHost } from './engine/index.ts'
import {
  authorize,
  cleanName,
  LINK_MAX_ADDRESSES,
  loadDeviceKey,
  loadEarlierLists,
  loadMembership,
  loadSealingKey,
  type Member,
  type Membership,
} from './identity/index.ts'
import { makeInvitation } from './inviting.ts'
import { createJoining } from './join.ts'
import { keepEpochs } from './keeping-epochs.ts'
import type { DeviceKind, DeviceView, Mesh, MeshEvent } from './mesh-types.ts'
import {
  addressesOf,
  byHost,
  createAdmissions,
  createKnocks,
  createLinks,
  createNode,
  createProtocols,
  createRecoveries,
  loadAddressBook,
  serveProtocols,
  type CapabilityRecord,
  type NodePreset,
  type PeerNode,
} from './net/index.ts'
import { compareElsewhere, createPendingJoins } from './pending-joins.ts'
import { askWhoKnocks, shareKnocks } from './pending-knocks.ts'
import { createPeople } from './people.ts'
import { createRecovering } from './recovering.ts'
import { returnToKeeper } from './returning.ts'
import { createMeshRooms } from './rooms.ts'
import { createSharing } from './sharing.ts'
import { countChats } from './state/index.ts'
import type { Decoder } from './sync/index.ts'
import { createViews, NO_ENGINE } from './views.ts'

/** What a mesh is made of: ports, and what the composition root knows about this device. */
export interface MeshOptions {
  readonly clock: Clock
  readonly random: Random
  readonly store: Store
  readonly log: Logger
  readonly preset: NodePreset
  /** Reads what other devices wrote where a hostile piece of it does no harm. */
  readonly decoder: Decoder
  /** Absent: this device asks and does not answer. */
  readonly engines?: EngineHost | undefined
  readonly device: {
    readonly name: string
    readonly kind: DeviceKind
    /** True: the person gave this name now. Else it only names the device at its first start. */
    readonly nameIsChosen?: boolean | undefined
    /** Name of its person in a mesh of its own. Default: the device's. */
    readonly person?: string | undefined
  }
  /** UDP port of the STUN server beside this peer, if there is one. */
  readonly stunPort?: number | undefined
  readonly discovery?: Discovery | undefined
  /** Where this device serves the page, without fragment; undefined while it does not. */
  readonly pageUrl?: (() => string | undefined) | undefined
}

/** Finds devices of this mesh on the local network, from the start of the peer to its stop. */
export type Discovery = (host: {
  readonly self: DeviceId
  /** Where this device can be reached: multiaddrs with its peer id. */
  addresses(): readonly string[]
  /**
   * Keys that devices which read the mesh hold and nobody else, to recognise each other by:
   * one for each of its newest epochs, newest first. Empty: there is none.
   */
  meshTags(): readonly Uint8Array[]
  /** Devices that were admitted, this one not among them. */
  admitted(): readonly DeviceId[]
  /** What is not admitted is not dialled. */
  found(device: DeviceId, addresses: readonly string[]): void
}) => {
  /** Looks again now: the mesh has another key. */
  ask(): void
  stop(): void
}

interface Cancellable {
  readonly signal?: AbortSignal | undefined
}

/** How long goodbyes have to leave this device, in ms. */
const GOODBYE_MS = 50

/**
 * Starts this device's peer: identity, lists, node, protocols and links. The only
 * place that wires the modules of the core together.
 * @throws MeshError of the store, `port-taken`, `storage-corrupt`
 */
export async function createMesh(options: MeshOptions, { signal }: Cancellable = {}): Promise<Mesh> {
  const { clock, random, store, device } = options
  const log = options.log.child('mesh')
  const engines = options.engines && createTurns(options.engines, { clock, log })
  const key = await loadDeviceKey(store, random, { log, signal })
  const self = key.id
  const sealing = await loadSealingKey(store, random, { log, signal })
  const name = cleanName(device.name) || 'This device'
  const own = { name, kind: device.kind, person: cleanName(device.person ?? '') || name }
  const membership = await loadMembership({ store, clock, random, log, key, sealing }, own, { signal })
  const earlier = await loadEarlierLists(store, self, log, { signal })
  const book = await loadAddressBook(store, log, { signal })
  const events = createEvents<MeshEvent>((error) => {
    log.error('a listener of mesh events failed', { error })
  })

  const addresses = (): string[] => addressesOf(node).filter((address) => !address.includes('/p2p-circuit'))
  const capability = (): CapabilityRecord => ({
    kind: device.kind,
    models: [...(engines?.models() ?? [])].slice(0, MODELS_MAX),
    load: engines?.load() ?? NO_ENGINE,
    addresses: byHost(addresses()).slice(0, LINK_MAX_ADDRESSES * 2),
    ...(options.stunPort === undefined ? {} : { stunPort: options.stunPort }),
  })
  const linkTo = (fragment: string): string => `${options.pageUrl?.() ?? ''}#${fragment}`

  const links = createLinks({
    node: () => node,
    membership,
    book,
    clock,
    log: log.child('links'),
    self,
    canDial: (address) => options.preset.canDial(address),
    rank: (address) => options.preset.rank?.(address),
    capability,
  })
  const spare = (id: DeviceId): (() => void) => links.spare(id)
  const admissions = createAdmissions({
    ...{ membership, clock, random, log, spare, earlier },
    compareAt: (invitation, joiner, given) =>
      compareElsewhere({ membership, links, clock, log }, invitation, joiner, given),
  })
  const knocks = createKnocks({
    ...{ membership, clock, random, log },
    spare: (id) => links.spare(id, 'knocking'),
    ask: (key, cancel) => askWhoKnocks({ membership, links, clock, log }, key, cancel),
  })
  /** Whom this device's relay serves. Whoever waits for a person's word is served as what it would come as. */
  const mayRelay = (id: DeviceId): boolean =>
    membership.mayServe(self, 'relay', id) &&
    (membership.mayServe(id, 'be-relayed', self) ||
      admissions
        .waiting()
        .some((one) => one.device === id && authorize(one.role, 'be-relayed', 'other-device').allowed))
  const node: PeerNode = await createNode(options.preset, key.privateKey, {
    mayDial: (id) => links.mayDial(id),
    mayRelay,
    mayConnect: (source, destination) => mayRelay(source) && mayRelay(destination),
    guard: {
      clock,
      random,
      workShare: device.kind === 'browser' ? BUDGET_PAGE_WORK_PERCENT / 100 : 1,
      spender(id) {
        if (membership.isOwn(id)) return 'own'
        const subject = membership.subject(id)
        // the door of an invitation that a person opened: a whole ledger comes through it
        return subject === 'stranger' && links.isAsked(id) ? 'member' : subject
      },
      isExpected: (id) => membership.admitted(id) !== undefined || links.mayDial(id),
      waits: (id) => links.spared(id),
    },
  })

  const views = createViews({ self, clock, membership, links, capability })
  const memberOf = (id: DeviceId): Member => {
    const member = membership.admitted(id)
    if (member === undefined) throw new MeshError('device-unknown', 'There is no such device in this mesh.')
    return member
  }
  const pending = createPendingJoins({ membership, admissions, links, events, clock, log })
  shareKnocks({ membership, knocks, links, events, log })
  const viewOf = (id: DeviceId): DeviceView => views.device(memberOf(id))
  const ask = createAsk({
    ...{ clock, random, engines, links, events },
    devices: () => views.devices(),
    rights: createAskRights(membership),
  })

  const emitDevice = (id: DeviceId): void => {
    const member = membership.members().find((one) => one.id === id)
    if (member !== undefined) events.emit({ type: 'device-changed', device: views.device(member) })
  }
  tellMembership(membership, events, (member) => views.device(member))
  links.changes.subscribe((id) => {
    emitDevice(id)
    options.preset.useStun?.(links.stunServers())
  })
  const stopWatching = engines?.changes.subscribe(() => {
    links.announce()
    emitDevice(self)
  })
  // addresses come and go with networks and relays: neighbours are told
  node.addEventListener('self:peer:update', () => {
    links.announce()
  })

  const epochs = await keepEpochs({ membership, sealing, random, clock, log }, { signal })
  const people = createPeople({
    membership,
    clock,
    toldBy: (entry) => links.toldBy(entry),
    maintainKeys: epochs.maintain,
  })
  await nameAsChosen(membership, device, name, { signal })

  const sharing = await createSharing(
    { store, clock, random, log, key, membership, epochs, links, decoder: options.decoder },
    { signal },
  )
  const rooms = await createMeshRooms(
    { store, clock, random, log, membership, epochs, sharing, ask, views },
    { signal },
  )

  const {
    start: startChats,
    stop: stopChats,
    ...chats
  } = createMeshChats({
    ...{ store, clock, log, membership, epochs, sharing },
  })

  const { archives: roomArchives, ...shownRooms } = rooms
  const archives = createArchives({
    ...{ store, clock, random, log, membership, rooms: roomArchives },
    onChat: chats.wrote,
  })
  // whoever goes to another mesh takes the rooms along
  const goingMembership: Membership = { ...membership, adopt: archives.adopt }
  const joining = createJoining({
    ...{ self, clock, random, links, book, viewOf },
    membership: goingMembership,
    async atStake() {
      return { chats: await countChats(store), rooms: rooms.rooms.list().length }
    },
  })

  const { untilOnline, ...joins } = joining
  const recovering = createRecovering({
    ...{ clock, random, key, links, book, epochs, untilOnline },
    membership: goingMembership,
  })

  const askingKeys = createKeyAsking({ membership, epochs, links, clock, log })
  const hosts = {
    control: links.host,
    rights: membership.changes,
    engines,
    askerOf: (device: DeviceId) => {
      const person = membership.admitted(device)?.person
      return { person, isOwn: membership.isOwn(device), serves: membership.mayServe(device, 'answer', self) }
    },
    admission: admissions,
    comparing: admissions,
    knocking: knocks,
    recovering: createRecoveries({ membership, clock, log, spare }),
    documents: sharing.syncer.host,
    keys: askingKeys.host,
  }
  await serveProtocols(node, createProtocols(hosts, { clock, log }), links.host, { clock, log })
  links.start()
  sharing.start()
  askingKeys.start()
  startChats()
  const life = new AbortController()
  archives.resume({ signal: life.signal }).catch((error: unknown) => {
    if (!isAbort(error)) log.warn('an earlier import could not be gone on with', { error })
  })
  const endReturning = returnToKeeper({ membership: goingMembership, earlier, links, book, clock, log })
  const discovery = options.discovery?.({
    self,
    addresses,
    meshTags: () => epochs.meshTags(),
    admitted: () =>
      membership.members().flatMap(({ id, removedAt }) => (id === self || removedAt !== null ? [] : [id])),
    found: (id, at) => {
      links.noticed(id, at)
    },
  })
  epochs.changes.subscribe(({ scope }) => {
    if (scope === 'mesh') discovery?.ask()
  })

  return {
    self,
    events,
    standing: () => membership.standing(),
    devices: () => views.devices(),
    models: () => views.models(),
    addresses,
    ...people,
    chats,
    ...recovering,
    rooms: shownRooms,
    exportAll: archives.exportAll,
    inspectArchive: archives.inspectArchive,
    importAll: archives.importAll,
    async rename(id, wanted, cancel = {}) {
      const cleaned = cleanName(wanted)
      if (cleaned === '') throw new MeshError('usage', 'A name needs at least one visible character.')
      await membership.ledger().append({ type: 'rename', device: memberOf(id).id, name: cleaned }, cancel)
    },
    async remove(id, cancel = {}) {
      if (id === self) throw new MeshError('usage', 'A device cannot remove itself. Remove it from another device.')
      await membership.ledger().append({ type: 'revoke', device: memberOf(id).id }, cancel)
      // whoever removes changes the keys at once: nothing that is written from now on is sealed to the removed
      await epochs.maintain(cancel)
    },
    invite: (wanted) => makeInvitation({ membership, links, clock, random, addresses, linkTo }, wanted),
    ...joins,
    knocks: () => knocks.waiting(),
    findKnock: (words, cancel) => knocks.find(words, cancel),
    admitKnock: (words, cancel) => knocks.admit(words, cancel),
    pendingJoins: () => pending.list(),
    settleJoin: (invitation, admit, cancel) => admissions.settle(invitation, admit, cancel),
    ask,
    wake() {
      links.wake()
    },
    async stop(cancel = {}) {
      stopWatching?.()
      endReturning()
      discovery?.stop()
      life.abort(new MeshError('aborted', 'Stopped.'))
      await rooms.rooms.stopAll()
      await stopChats()
      await askingKeys.stop()
      epochs.close()
      await sharing.stop()
      await links.stop()
      await sleep(clock, GOODBYE_MS, cancel).catch((error: unknown) => {
        // a stop that is hurried skips the goodbye, not the stop
        if (!isAbort(error)) throw error
      })
      await node.stop()
    },
  }
}

/** Says what changed between two states of the lists: who came, who went, where this device stands. */
function tellMembership(
  membership: Membership,
  events: EventHub<MeshEvent>,
  viewOf: (member: Member) => DeviceView,
): void {
  const active = (): Map<DeviceId, Member> =>
    new Map(membership.members().flatMap((member) => (member.removedAt === null ? [[member.id, member] as const] : [])))
  let before = active()
  let standing = membership.standing()
  membership.changes.subscribe(() => {
    const now = active()
    for (const [id, member] of now) {
      events.emit({ type: before.has(id) ? 'device-changed' : 'device-joined', device: viewOf(member) })
    }
    for (const id of before.keys()) if (!now.has(id)) events.emit({ type: 'device-removed', id })
    before = now
    events.emit({ type: 'people-changed' })
    if (membership.standing() === standing) return
    standing = membership.standing()
    events.emit({ type: 'membership', standing })
  })
}

/** A name the person gave at this start takes the place of the one the ledger has. */
async function nameAsChosen(
  membership: Membership,
  device: MeshOptions['device'],
  name: string,
  cancel: Cancellable,
): Promise<void> {
  const own = membership.admitted(membership.self)
  if (device.nameIsChosen !== true || own === undefined || own.name === name) return
  await membership.ledger().append({ type: 'rename', device: own.id, name }, cancel)
}
