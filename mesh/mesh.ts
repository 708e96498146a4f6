import {
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
import { createAsk } from './ask.ts'
import type { EngineHost } from './engine/index.ts'
import {
  cleanName,
  LINK_MAX_ADDRESSES,
  loadDeviceKey,
  loadInvitations,
  loadMembership,
  type Member,
  type Membership,
} from './identity/index.ts'
import { createJoining } from './join.ts'
import type { DeviceKind, DeviceView, InvitationView, Mesh, MeshEvent } from './mesh-types.ts'
import {
  addressesOf,
  askKeeper,
  createAdmissions,
  createLinks,
  createListKeeper,
  createNode,
  createProtocols,
  loadAddressBook,
  serveProtocols,
  type CapabilityRecord,
  type MembershipReply,
  type MembershipRequest,
  type NodePreset,
  type PeerNode,
} from './net/index.ts'
import { createPendingJoins } from './pending-joins.ts'
import { createViews, NO_ENGINE } from './views.ts'

/** What a mesh is made of: ports, and what the composition root knows about this device. */
export interface MeshOptions {
  readonly clock: Clock
  readonly random: Random
  readonly store: Store
  readonly log: Logger
  readonly preset: NodePreset
  /** Absent: this device asks and does not answer. */
  readonly engines?: EngineHost | undefined
  readonly device: {
    readonly name: string
    readonly kind: DeviceKind
    /** True: the person gave this name now. Else it only names the device at its first start. */
    readonly nameIsChosen?: boolean | undefined
  }
  /** UDP port of the STUN server beside this peer, if there is one. */
  readonly stunPort?: number | undefined
  readonly discovery?: Discovery | undefined
  /** The key of {@link Discovery}; absent: devices do not recognise each other on a network. */
  readonly meshTag?: (() => Uint8Array | undefined) | undefined
  /** Where this device serves the page, without fragment; undefined while it does not. */
  readonly pageUrl?: (() => string | undefined) | undefined
}

/** Finds devices of this mesh on the local network, from the start of the peer to its stop. */
export type Discovery = (host: {
  readonly self: DeviceId
  /** Where this device can be reached: multiaddrs with its peer id. */
  addresses(): readonly string[]
  /** A key that all devices of the mesh hold and nobody else, to recognise each other by; undefined: there is none. */
  meshTag(): Uint8Array | undefined
  /** Devices that were admitted, this one not among them. */
  admitted(): readonly DeviceId[]
  /** What is not admitted is not dialled. */
  found(device: DeviceId, addresses: readonly string[]): void
}) => { stop(): void }

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
  const { clock, random, store, engines, device } = options
  const log = options.log.child('mesh')
  const key = await loadDeviceKey(store, random, { signal })
  const self = key.id
  const ownEntry = { ...device, name: cleanName(device.name) || 'This device' }
  const membership = await loadMembership({ store, clock, log }, key, ownEntry, { signal })
  const invitations = await loadInvitations({ store, clock, random }, self, { signal })
  const book = await loadAddressBook(store, log, { signal })
  const events = createEvents<MeshEvent>((error) => {
    log.error('a listener of mesh events failed', { error })
  })

  const addresses = (): string[] => addressesOf(node).filter((address) => !address.includes('/p2p-circuit'))
  const capability = (): CapabilityRecord => ({
    kind: device.kind,
    models: [...(engines?.models() ?? [])].slice(0, MODELS_MAX),
    load: engines?.load() ?? NO_ENGINE,
    addresses: addresses().slice(0, LINK_MAX_ADDRESSES * 2),
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
    capability,
  })
  const spare = (id: DeviceId): void => {
    links.spare(id)
  }
  const admissions = createAdmissions({ self, membership, invitations, random, log, spare })
  const mayRelay = (id: DeviceId): boolean =>
    membership.admitted(id) !== undefined || admissions.waiting().some((one) => one.device === id)
  const node: PeerNode = await createNode(options.preset, key.privateKey, {
    mayDial: (id) => links.mayDial(id),
    mayRelay,
    mayConnect: (source, destination) => mayRelay(source) && mayRelay(destination),
  })

  const changeOwnList = createListKeeper({ self, membership, invitations, admissions, addresses, linkTo })
  const changeList = (keeper: DeviceId, wanted: MembershipRequest, cancel: Cancellable): Promise<MembershipReply> => {
    const withSignal = { signal: cancel.signal ?? new AbortController().signal }
    if (keeper === self) return changeOwnList(self, wanted, withSignal)
    return askKeeper(links.connection(keeper), wanted, { clock }, withSignal)
  }
  /** The device whose list new devices go on: the mesh that was joined, else this device. */
  const keeper = (): DeviceId =>
    membership.issuers().find((issuer) => membership.entryOn(issuer, self) !== undefined) ?? self

  const views = createViews({ self, clock, membership, links, capability })
  const memberOf = (id: DeviceId): Member => {
    const member = membership.admitted(id)
    if (member === undefined) throw new MeshError('device-unknown', 'There is no such device in this mesh.')
    return member
  }
  const pending = createPendingJoins({ self, membership, admissions, links, events })
  const viewOf = (id: DeviceId): DeviceView => views.device(memberOf(id))
  const joining = createJoining({ self, clock, kind: device.kind, membership, links, book, viewOf })
  const ask = createAsk({
    ...{ clock, random, engines, links, events },
    devices: () => views.devices(),
    admitted: (id) => membership.admitted(id) !== undefined,
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

  const hosts = { control: links.host, engines, admission: admissions, changeList: changeOwnList }
  await serveProtocols(node, createProtocols(hosts, { clock, log }), links.host, { clock, log })
  links.start()
  const discovery = options.discovery?.({
    self,
    addresses,
    meshTag: () => options.meshTag?.(),
    admitted: () =>
      membership.members().flatMap(({ id, removedAt }) => (id === self || removedAt !== null ? [] : [id])),
    found: (id, at) => {
      links.noticed(id, at)
    },
  })

  return {
    self,
    events,
    standing: () => membership.standing(),
    devices: () => views.devices(),
    models: () => views.models(),
    addresses,
    async rename(id, name, cancel = {}) {
      const cleaned = cleanName(name)
      if (cleaned === '') throw new MeshError('usage', 'A name needs at least one visible character.')
      const { issuer } = memberOf(id)
      await changeList(issuer, { type: 'rename', device: id, name: cleaned }, cancel)
      // its own name stays with a device when it leaves a mesh
      if (id === self && issuer !== self) await membership.rename(self, cleaned, cancel)
    },
    async remove(id, cancel = {}) {
      if (id === self) throw new MeshError('usage', 'A device cannot remove itself. Remove it from another device.')
      await changeList(memberOf(id).issuer, { type: 'remove', device: id }, cancel)
    },
    async invite({ person = '', confirmation, lifetimeMs, signal: cancelled }): Promise<InvitationView> {
      const wanted = { type: 'invite', person, confirmation, lifetimeMs } as const
      const answer = await changeList(keeper(), wanted, { signal: cancelled })
      if (answer.type !== 'invitation') {
        throw new MeshError('bug', 'The keeper of the list answered an invitation with something else.')
      }
      const { type: _, ...invitation } = answer
      // any copy of the page understands the fragment: the one at hand is the one that can be opened here
      return options.pageUrl?.() === undefined ? invitation : { ...invitation, url: linkTo(invitation.fragment) }
    },
    preview: joining.preview,
    join: joining.join,
    pendingJoins: () => pending.list(),
    async settleJoin(invitation, admit, cancel = {}) {
      await changeList(pending.keeperOf(invitation), { type: 'settle', invitation, admit }, cancel)
    },
    ask,
    wake() {
      links.wake()
    },
    async stop(cancel = {}) {
      stopWatching?.()
      discovery?.stop()
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
    if (membership.standing() === standing) return
    standing = membership.standing()
    events.emit({ type: 'membership', standing })
  })
}
