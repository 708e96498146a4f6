import {
  asMeshError,
  createEvents,
  isAbort,
  MeshError,
  MODELS_MAX,
  sleep,
  sortableId,
  throwIfAborted,
  type Clock,
  type DeviceId,
  type InvitationId,
  type Logger,
  type Random,
  type RequestId,
  type Store,
} from './base/index.ts'
import type { EngineHost, EngineLoad, ModelRecord } from './engine/index.ts'
import {
  cleanName,
  formatInvitation,
  LINK_MAX_ADDRESSES,
  loadDeviceKey,
  loadInvitations,
  loadMembership,
  parseInvitation,
  type Member,
} from './identity/index.ts'
import type { DeviceKind, DeviceView, InvitationView, Mesh, MeshEvent, MeshModel, PendingJoin } from './mesh-types.ts'
import {
  addressesOf,
  askDevice,
  askKeeper,
  createAdmissions,
  createLinks,
  createNode,
  createProtocols,
  loadAddressBook,
  proveInvitation,
  serveProtocols,
  type CapabilityRecord,
  type MembershipReply,
  type MembershipRequest,
  type NodePreset,
  type PeerNode,
  type RemoteEvent,
  type Waiting,
} from './net/index.ts'
import { decideRoute, type AskEvent, type AskRequest, type RoutableDevice } from './route/index.ts'

/** What a mesh is made of: ports, and what the composition root knows about this device. */
export interface MeshOptions {
  readonly clock: Clock
  readonly random: Random
  readonly store: Store
  readonly log: Logger
  readonly preset: NodePreset
  /** Absent: this device asks and does not answer. */
  readonly engines?: EngineHost | undefined
  readonly device: { readonly name: string; readonly kind: DeviceKind }
  /** Where this device serves the page, without fragment; undefined while it does not. */
  readonly pageUrl?: (() => string | undefined) | undefined
}

interface Cancellable {
  readonly signal?: AbortSignal | undefined
}

const NO_ENGINE: EngineLoad = { slots: 0, busy: 0, queued: 0 }
/** How long a device that is known already may take to come online in a join, in ms. */
const KNOWN_JOIN_MS = 10_000
/** How often a wait on links looks again, in ms; it is woken by events in between. */
const LOOK_AGAIN_MS = 250

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
  const membership = await loadMembership(
    { store, clock, log },
    key,
    { name: cleanName(device.name) || 'This device', kind: device.kind },
    { signal },
  )
  const invitations = await loadInvitations({ store, clock, random }, self, { signal })
  const book = await loadAddressBook(store, log, { signal })
  const events = createEvents<MeshEvent>((error) => {
    log.error('a listener of mesh events failed', { error })
  })
  /** Joins that another device's list waits for and that are confirmed here. */
  const remoteWaiting = new Map<InvitationId, { readonly keeper: DeviceId; readonly join: PendingJoin }>()

  const capability = (): CapabilityRecord => ({
    kind: device.kind,
    models: [...(engines?.models() ?? [])].slice(0, MODELS_MAX),
    load: engines?.load() ?? NO_ENGINE,
    addresses: ownAddresses().slice(0, LINK_MAX_ADDRESSES * 2),
  })

  const ownAddresses = (): string[] => addressesOf(node).filter((address) => !address.includes('/p2p-circuit'))

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

  const admissions = createAdmissions({
    self,
    membership,
    invitations,
    random,
    log,
    spare: (id) => {
      links.spare(id)
    },
  })

  const mayRelay = (id: DeviceId): boolean =>
    membership.admitted(id) !== undefined || admissions.waiting().some((one) => one.device === id)
  const node: PeerNode = await createNode(options.preset, key.privateKey, {
    mayDial: (id) => links.mayDial(id),
    mayRelay,
    mayConnect: (source, destination) => mayRelay(source) && mayRelay(destination),
  })

  // ---- the list: who keeps it, and who may change it

  /** The device whose list new devices go on: the mesh that was joined, else this device. */
  const keeper = (): DeviceId =>
    membership.issuers().find((issuer) => membership.admitted(issuer) !== undefined) ?? self

  const changeOwnList = async (
    caller: DeviceId,
    wanted: MembershipRequest,
    cancel: Cancellable,
  ): Promise<MembershipReply> => {
    const rights = membership.admitted(caller)
    const ownDevice = wanted.type === 'rename' && wanted.device === caller
    if (rights === undefined || (rights.role !== 'owner' && !ownDevice)) {
      throw new MeshError('unauthorized', 'Only an owner of this mesh may do this.')
    }
    switch (wanted.type) {
      case 'rename':
        await membership.rename(wanted.device, wanted.name, cancel)
        return { type: 'done' }
      case 'remove':
        await membership.remove(wanted.device, cancel)
        events.emit({ type: 'device-removed', id: wanted.device })
        return { type: 'done' }
      case 'settle':
        admissions.settle(wanted.invitation, wanted.admit)
        return { type: 'done' }
      case 'invite': {
        const person = cleanName(wanted.person)
        const invitation = await invitations.create({
          person,
          role: person === '' ? 'owner' : 'member',
          confirmation: wanted.confirmation,
          madeBy: caller,
          lifetimeMs: wanted.lifetimeMs,
          signal: cancel.signal,
        })
        const fragment = formatInvitation({
          inviter: self,
          inviterName: membership.admitted(self)?.name ?? device.name,
          secret: invitation.secret,
          addresses: invitationAddresses(ownAddresses()),
          expiresAt: invitation.expiresAt,
          person,
          confirmation: invitation.confirmation,
        })
        return {
          type: 'invitation',
          id: invitation.id,
          fragment,
          url: linkTo(fragment),
          expiresAt: invitation.expiresAt,
          confirmation: invitation.confirmation,
        }
      }
    }
  }

  const linkTo = (fragment: string): string => {
    const page = options.pageUrl?.()
    return page === undefined ? `#${fragment}` : `${page}#${fragment}`
  }

  const changeList = (
    listKeeper: DeviceId,
    wanted: MembershipRequest,
    cancel: Cancellable,
  ): Promise<MembershipReply> => {
    if (listKeeper === self) return changeOwnList(self, wanted, cancel)
    return askKeeper(
      links.connection(listKeeper),
      wanted,
      { clock },
      { signal: cancel.signal ?? new AbortController().signal },
    )
  }

  const memberOf = (id: DeviceId): Member => {
    const member = membership.admitted(id)
    if (member === undefined) throw new MeshError('device-unknown', 'There is no such device in this mesh.')
    return member
  }

  // ---- views

  const mayRemove = (member: Member): boolean => {
    if (member.id === self || member.id === member.issuer) return false
    return member.issuer === self || membership.admitted(self)?.role === 'owner'
  }

  const view = (member: Member): DeviceView => {
    const isSelf = member.id === self
    const link = links.view(member.id)
    const told = isSelf ? capability() : link.capability
    return {
      id: member.id,
      name: member.name,
      kind: member.kind,
      role: member.role,
      person: member.person,
      state: member.removedAt !== null ? 'removed' : isSelf ? 'online' : link.state,
      path: isSelf ? 'self' : link.path,
      rttMs: isSelf ? 0 : link.rttMs,
      lastSeenAt: isSelf ? clock.now() : link.lastSeenAt,
      admittedAt: member.admittedAt,
      admittedBy: member.admittedBy,
      ...(link.trouble === undefined || isSelf ? {} : { trouble: link.trouble }),
      models: told?.models ?? [],
      load: told?.load ?? NO_ENGINE,
      removable: mayRemove(member),
    }
  }

  const devices = (): DeviceView[] =>
    membership
      .members()
      .filter((member) => member.removedAt === null)
      .map(view)

  const emitDevice = (id: DeviceId): void => {
    const member = membership.members().find((one) => one.id === id)
    if (member !== undefined) events.emit({ type: 'device-changed', device: view(member) })
  }

  const models = (): MeshModel[] => {
    const found = new Map<string, MeshModel>()
    for (const one of devices()) {
      if (one.path === 'none') continue
      for (const record of one.models) {
        if (record.state === 'failed') continue
        const known = found.get(record.id)
        found.set(record.id, {
          id: record.id,
          sizeBytes: known?.sizeBytes ?? record.sizeBytes,
          contextTokens: Math.max(known?.contextTokens ?? 0, record.contextTokens),
          addedAt: Math.min(known?.addedAt ?? record.addedAt, record.addedAt),
          devices: [...(known?.devices ?? []), one.id],
          ready: known?.ready === true || record.state === 'ready' || record.state === 'available',
        })
      }
    }
    return [...found.values()]
  }

  // ---- joins that wait for pictures

  const showTo = (waiting: Waiting): void => {
    const joins = admissions
      .waiting()
      .filter((one) => one.madeBy === waiting.madeBy)
      .map(({ madeBy: _, ...join }) => ({ ...join, pictures: [...join.pictures] }))
    links.send({ type: 'pending', joins }, waiting.madeBy)
  }

  const takeRemoteWaiting = (from: DeviceId, joins: readonly PendingJoin[]): void => {
    for (const [id, known] of remoteWaiting) {
      if (known.keeper === from && !joins.some((join) => join.invitation === id)) {
        remoteWaiting.delete(id)
        events.emit({
          type: 'join-settled',
          invitation: id,
          device: known.join.device,
          admitted: membership.admitted(known.join.device) !== undefined,
        })
      }
    }
    for (const join of joins) {
      if (remoteWaiting.has(join.invitation)) continue
      remoteWaiting.set(join.invitation, { keeper: from, join })
      events.emit({ type: 'join-pending', join })
    }
  }

  const pendingJoins = (): PendingJoin[] => [
    ...admissions
      .waiting()
      .filter((one) => one.madeBy === self)
      .map(({ madeBy: _, ...join }) => join),
    ...[...remoteWaiting.values()].map((one) => one.join),
  ]

  // ---- asking

  const routable = (): RoutableDevice[] =>
    devices().map(({ id, name, path, rttMs, models: records, load }) => ({
      id,
      name,
      path,
      rttMs,
      models: records,
      load,
    }))

  async function* ask(
    request: AskRequest,
    cancel: { readonly signal: AbortSignal },
  ): AsyncGenerator<AskEvent, void, undefined> {
    throwIfAborted(cancel.signal)
    const id = sortableId(clock.now(), random) as RequestId
    const route = decideRoute(request, routable(), clock.now())
    yield { type: 'route', route }
    if (route.path !== 'self') yield { type: 'phase', phase: 'connecting' }
    events.emit({ type: 'ask-started', request: id, device: route.device, model: route.model })
    const question = { model: route.model, messages: request.messages, sampling: request.sampling }
    const answer: AsyncIterable<RemoteEvent> =
      route.path === 'self' && engines !== undefined
        ? engines.generate(question, cancel)
        : askDevice(links.connection(route.device), { ...question, id }, { clock }, cancel)
    let outcome = 'aborted'
    let bytesSent = 0
    try {
      for await (const event of answer) {
        switch (event.type) {
          case 'sent':
            bytesSent = event.bytes
            break
          case 'queued':
            yield { type: 'phase', phase: 'queued', ahead: event.ahead }
            break
          case 'loading':
            yield { type: 'phase', phase: 'loading', fraction: event.fraction }
            break
          case 'reading':
            yield {
              type: 'phase',
              phase: 'reading',
              fraction: event.totalTokens === 0 ? 1 : event.doneTokens / event.totalTokens,
            }
            break
          case 'text':
            events.emit({ type: 'tokens', request: id, device: route.device, tokenCount: event.tokenCount })
            yield event
            break
          case 'end':
            outcome = event.finish
            yield { ...event, bytesSent }
        }
      }
      if (outcome === 'aborted') throw new MeshError('peer-gone', 'The answer ended without an end.')
    } catch (error) {
      const known = asMeshError(error)
      outcome = known.code
      throw known
    } finally {
      events.emit({ type: 'ask-ended', request: id, device: route.device, outcome })
    }
  }

  // ---- joining

  const untilOnline = async (id: DeviceId, timeoutMs: number, cancel: Cancellable): Promise<DeviceView> => {
    const startedAt = clock.monotonic()
    while (links.view(id).state !== 'online') {
      throwIfAborted(cancel.signal)
      if (clock.monotonic() - startedAt > timeoutMs) break
      await sleep(clock, LOOK_AGAIN_MS, cancel)
    }
    return view(memberOf(id))
  }

  const join: Mesh['join'] = async (text, { signal: cancelled, onProgress } = {}) => {
    const link = parseInvitation(text)
    const cancel: Cancellable = { signal: cancelled }
    onProgress?.({ phase: 'finding' })
    if (link.inviter === self)
      throw new MeshError('usage', 'This invitation was made by this very device. Open it on another one.')
    book.learn(link.inviter, link.addresses)
    if (isKnown(link.inviter)) {
      links.wake()
      const inviter = await untilOnline(link.inviter, KNOWN_JOIN_MS, cancel)
      onProgress?.({ phase: 'admitted' })
      return inviter
    }
    if (link.expiresAt <= clock.now())
      throw new MeshError('invitation-expired', 'This invitation has expired. Ask for a new link.')
    onProgress?.({ phase: 'connecting' })
    const inForce = cancelled ?? new AbortController().signal
    const connection = await links.dialOnce(link.inviter, link.addresses, { signal: inForce })
    try {
      onProgress?.({ phase: 'proving' })
      links.spare(link.inviter)
      const roster = await proveInvitation(
        connection,
        link,
        { id: self, name: membership.admitted(self)?.name ?? device.name, kind: device.kind },
        { clock },
        {
          signal: inForce,
          onPictures: (pictures) => onProgress?.({ phase: 'comparing', pictures }),
        },
      )
      await membership.follow(roster, cancel)
    } finally {
      // the link proper is a new connection: as a member, the relay serves it from the start
      connection.abort(new MeshError('aborted', 'The invitation was answered.'))
    }
    events.emit({ type: 'membership', standing: membership.standing() })
    links.wake()
    const inviter = await untilOnline(link.inviter, KNOWN_JOIN_MS, cancel)
    onProgress?.({ phase: 'admitted' })
    return inviter
  }

  const isKnown = (inviter: DeviceId): boolean =>
    membership.issuers().includes(inviter) &&
    membership.standing() === 'member' &&
    membership.admitted(inviter) !== undefined

  // ---- life

  let standing = membership.standing()
  let listed = new Set(membership.members().flatMap((member) => (member.removedAt === null ? [member.id] : [])))
  membership.changes.subscribe(() => {
    const now = new Set(membership.members().flatMap((member) => (member.removedAt === null ? [member.id] : [])))
    for (const member of membership.members()) {
      if (now.has(member.id) && !listed.has(member.id)) events.emit({ type: 'device-joined', device: view(member) })
      else if (!now.has(member.id) && listed.has(member.id)) events.emit({ type: 'device-removed', id: member.id })
      else emitDevice(member.id)
    }
    listed = now
    if (membership.standing() !== standing) {
      standing = membership.standing()
      events.emit({ type: 'membership', standing })
    }
  })
  links.changes.subscribe(emitDevice)
  links.frames.subscribe(({ from, frame }) => {
    if (frame.type === 'pending') takeRemoteWaiting(from, frame.joins)
  })
  admissions.changes.subscribe(({ waiting, outcome }) => {
    const { madeBy, ...pending } = waiting
    if (madeBy !== self) showTo(waiting)
    else if (outcome === 'waiting') events.emit({ type: 'join-pending', join: pending })
    else
      events.emit({
        type: 'join-settled',
        invitation: waiting.invitation,
        device: waiting.device,
        admitted: outcome === 'admitted',
      })
  })
  const stopWatching = engines?.changes.subscribe(() => {
    links.announce()
    emitDevice(self)
  })
  // addresses come and go with networks and relays: neighbours are told
  node.addEventListener('self:peer:update', () => {
    links.announce()
  })

  await serveProtocols(
    node,
    createProtocols({ control: links.host, engines, admission: admissions, changeList: changeOwnList }, { clock, log }),
    links.host,
    { clock, log },
  )
  links.start()

  return {
    self,
    events,
    standing: () => membership.standing(),
    devices,
    models,
    addresses: ownAddresses,
    async rename(id, name, cancel = {}) {
      if (cleanName(name) === '') throw new MeshError('usage', 'A name needs at least one visible character.')
      await changeList(memberOf(id).issuer, { type: 'rename', device: id, name: cleanName(name) }, cancel)
    },
    async remove(id, cancel = {}) {
      const member = memberOf(id)
      if (id === self) throw new MeshError('usage', 'A device cannot remove itself. Remove it from another device.')
      await changeList(member.issuer, { type: 'remove', device: id }, cancel)
    },
    async invite({ person = '', confirmation, lifetimeMs, signal: cancelled }): Promise<InvitationView> {
      const answer = await changeList(
        keeper(),
        { type: 'invite', person, confirmation, lifetimeMs },
        { signal: cancelled },
      )
      if (answer.type !== 'invitation')
        throw new MeshError('bug', 'The keeper of the list answered an invitation with something else.')
      const { type: _, ...invitation } = answer
      // any copy of the page understands the fragment: the one at hand is the one that can be opened here
      return options.pageUrl?.() === undefined ? invitation : { ...invitation, url: linkTo(invitation.fragment) }
    },
    preview(text) {
      const { inviter, inviterName, person, confirmation, expiresAt } = parseInvitation(text)
      const known = isKnown(inviter)
      if (!known && expiresAt <= clock.now())
        throw new MeshError('invitation-expired', 'This invitation has expired. Ask for a new link.')
      return {
        inviter,
        inviterName: cleanName(inviterName),
        role: person === '' ? 'owner' : 'member',
        person: cleanName(person),
        confirmation,
        expiresAt,
        known,
      }
    },
    join,
    pendingJoins,
    async settleJoin(invitation, admit, cancel = {}) {
      const remote = remoteWaiting.get(invitation)
      await changeList(remote?.keeper ?? self, { type: 'settle', invitation, admit }, cancel)
    },
    ask,
    wake() {
      links.wake()
    },
    async stop(cancel = {}) {
      stopWatching?.()
      await links.stop()
      // goodbyes are small: one turn of the network is enough for those that can hear
      await sleep(clock, 50, cancel).catch((error: unknown) => {
        if (!isAbort(error)) throw error
      })
      await node.stop()
    },
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
