import type { Connection } from '@libp2p/interface'
import {
  asMeshError,
  createEvents,
  DIRECT_RETRY_FIRST_MS,
  DIRECT_RETRY_MAX_MS,
  isAbort,
  MeshError,
  PENDING_JOIN_MS,
  REDIAL_FIRST_MS,
  REDIAL_MAX_MS,
  REDIAL_UNSEEN_MAX_MS,
  SECOND_ATTEMPT_MS,
  STRANGER_CONNECTION_MS,
  type Clock,
  type DeviceId,
  type EntryHash,
  type EventSource,
  type Logger,
} from '../base/index.ts'
import type { Member, Membership } from '../identity/index.ts'
import { isPlainAddress, type AddressBook } from './address-book.ts'
import { dialFirst, isLastResort } from './dial.ts'
import type { PeerNode } from './node.ts'
import { createPace } from './pace.ts'
import { openControl, type ControlHost, type ControlSession } from './protocols/control/control.ts'
import { farewellOf, haveOf } from './protocols/ledger/exchange.ts'
import { batches, fetchLedger, type LedgerHost } from './protocols/ledger/ledger.ts'
import type { CapabilityRecord, ControlFrame, Hello, Neighbour } from './protocols/control/messages.ts'
import { isRelayed } from './stream.ts'

/** What is known of the link to one device. */
export interface LinkView {
  readonly state: 'online' | 'asleep' | 'unreachable'
  readonly path: 'direct' | 'relayed' | 'none'
  readonly rttMs: number | null
  readonly lastSeenAt: number | null
  readonly capability: CapabilityRecord | undefined
  readonly trouble: string | undefined
}

/** Keeps a link to every admitted device, for as long as the peer runs. */
export interface Links {
  /** The link to this device changed. */
  readonly changes: EventSource<DeviceId>
  /** Frames of the control stream that are not about the link itself. */
  readonly frames: EventSource<{ readonly from: DeviceId; readonly frame: ControlFrame }>
  readonly host: ControlHost
  view(id: DeviceId): LinkView
  /** The best connection to a device. @throws MeshError `offline` */
  connection(id: DeviceId): Connection
  /** Dials outside the supervision, for a join. @throws MeshError `offline`, `aborted` */
  dialOnce(id: DeviceId, addresses: readonly string[], options: { readonly signal: AbortSignal }): Promise<Connection>
  /** Sends a frame to every linked device, or to one. */
  send(frame: ControlFrame, to?: DeviceId): void
  /** Tells all linked devices what this one can do now. */
  announce(): void
  /** How many devices have told that they have an entry of the ledger. */
  toldBy(entry: EntryHash): number
  /**
   * Keeps a stranger's connection while people look at it, {@link PENDING_JOIN_MS} at most. Call the
   * returned function when they do not any more. `knocking`: it has proven nothing.
   */
  spare(id: DeviceId, as?: 'proven' | 'knocking'): () => void
  /** As what a stranger's connection is kept now. */
  spared(id: DeviceId): 'proven' | 'knocking' | undefined
  /** A device was noticed at these addresses; dialled there if it was admitted and is not linked. */
  noticed(id: DeviceId, addresses: readonly string[]): void
  /** STUN servers of linked helpers, by the address this device reached each at: `stun:HOST:PORT`. */
  stunServers(): readonly string[]
  /** Probes every link and dials every missing one now. */
  wake(): void
  /** Says goodbye on every link and stops dialling. */
  stop(): Promise<void>
}

interface Link {
  readonly id: DeviceId
  readonly sessions: Set<ControlSession>
  capability: CapabilityRecord | undefined
  /** The heads of the ledger as the device has it. */
  heads: readonly EntryHash[]
  /** The devices it sees, and where it says they are; also those that this one does not know yet. */
  neighbours: readonly Neighbour[]
  attempts: number
  /** Tries to replace a relayed link by a direct one. */
  directTries: number
  saidBye: boolean
  trouble: string | undefined
  toldRttMs: number | null
  fetching: boolean
  fetchAgain: boolean
  dialling: AbortController | undefined
  /** Something was learnt while it was dialled: the dial is begun anew. */
  dialAgain: boolean
  cancelRedial: () => void
}

interface LinksPorts {
  readonly node: () => PeerNode
  readonly membership: Membership
  readonly book: AddressBook
  readonly clock: Clock
  readonly log: Logger
  readonly self: DeviceId
  readonly canDial: (address: string) => boolean
  readonly rank?: ((address: string) => number | undefined) | undefined
  readonly capability: () => CapabilityRecord
}

/** How long a removed device has to hear that it was, in ms. */
const CUT_AFTER_MS = 500

/** How often others are told who is linked here, in ms. */
const NEIGHBOURS_EVERY_MS = 200

const NONE: LinkView = {
  state: 'unreachable',
  path: 'none',
  rttMs: null,
  lastSeenAt: null,
  capability: undefined,
  trouble: undefined,
}

/**
 * The supervisor of links. It alone decides whom to dial and when: at once, then
 * with growing pauses, again at once after a sleep or when a neighbour sees the device.
 */
export function createLinks(ports: LinksPorts): Links & { start(): void; mayDial(id: DeviceId): boolean } {
  const { membership, book, clock, log, self } = ports
  const links = new Map<DeviceId, Link>()
  const dialAllowed = new Map<DeviceId, number>()
  const spared = new Map<DeviceId, Set<{ readonly as: 'proven' | 'knocking' }>>()
  const onListenerError = (error: unknown): void => {
    log.error('a listener of links failed', { error })
  }
  const changes = createEvents<DeviceId>(onListenerError)
  const frames = createEvents<{ from: DeviceId; frame: ControlFrame }>(onListenerError)
  const life = new AbortController()
  let stopped = false

  const best = (link: Link): ControlSession | undefined =>
    [...link.sessions].sort(
      (a, b) =>
        Number(isRelayed(a.connection)) - Number(isRelayed(b.connection)) || (a.rttMs ?? 1e6) - (b.rttMs ?? 1e6),
    )[0]

  const hasDirect = (link: Link): boolean => [...link.sessions].some((session) => !isRelayed(session.connection))

  const linkOf = (id: DeviceId): Link => {
    const known = links.get(id)
    if (known !== undefined) return known
    const link: Link = {
      id,
      sessions: new Set(),
      capability: undefined,
      heads: [],
      neighbours: [],
      attempts: 0,
      directTries: 0,
      saidBye: false,
      trouble: undefined,
      toldRttMs: null,
      fetching: false,
      fetchAgain: false,
      dialling: undefined,
      dialAgain: false,
      cancelRedial() {},
    }
    links.set(id, link)
    return link
  }

  const online = (): Link[] => [...links.values()].filter((link) => link.sessions.size > 0)

  /** Ways to a device, best first: its own addresses, then through each helper that relays. */
  const waysTo = (id: DeviceId): { ways: string[]; relayed: boolean } => {
    const own = book
      .addresses(id)
      .filter(ports.canDial)
      .map((address) => (address.includes(`/p2p/${id}`) ? address : `${address}/p2p/${id}`))
    const relays = online().filter((link) => link.id !== id && link.capability?.kind === 'helper' && hasDirect(link))
    const through = [
      ...relays.map((link) => `/p2p/${link.id}/p2p-circuit/webrtc/p2p/${id}`),
      // networks that keep their devices apart leave nothing else; never beside a relayed link, which it would be again
      ...(links.get(id)?.sessions.size ? [] : relays.map((link) => `/p2p/${link.id}/p2p-circuit/p2p/${id}`)),
    ].filter((way) => isLastResort(way) || ports.canDial(way))
    return {
      ways: [...own, ...(membership.admitted(id)?.kind === 'browser' ? through : [])],
      relayed: own.length === 0,
    }
  }

  const whileDialling = async <Result>(id: DeviceId, work: () => Promise<Result>): Promise<Result> => {
    dialAllowed.set(id, (dialAllowed.get(id) ?? 0) + 1)
    try {
      return await work()
    } finally {
      const left = (dialAllowed.get(id) ?? 1) - 1
      if (left > 0) dialAllowed.set(id, left)
      else dialAllowed.delete(id)
    }
  }

  const schedule = (link: Link, delayMs: number): void => {
    link.cancelRedial()
    if (stopped || membership.admitted(link.id) === undefined || link.id === self) return
    link.cancelRedial = clock.schedule(delayMs, () => {
      void connect(link)
    })
  }

  const scheduleDirect = (link: Link): void => {
    schedule(link, Math.min(DIRECT_RETRY_FIRST_MS * 2 ** Math.min(link.directTries, 10), DIRECT_RETRY_MAX_MS))
    link.directTries += 1
  }

  const pauseMs = (link: Link, relayed: boolean): number =>
    Math.min(REDIAL_FIRST_MS * 1.6 ** Math.min(link.attempts, 20), relayed ? REDIAL_UNSEEN_MAX_MS : REDIAL_MAX_MS)

  const connect = async (link: Link): Promise<void> => {
    if (stopped || link.dialling !== undefined || hasDirect(link)) return
    const { ways, relayed } = waysTo(link.id)
    if (ways.length === 0) {
      link.trouble = 'No address of it is known here; it can still connect by itself.'
      return
    }
    const controller = new AbortController()
    link.dialling = controller
    // a dial through a relay may hang in its set-up: a second one beside it often succeeds
    const cancelSecond = relayed
      ? clock.schedule(SECOND_ATTEMPT_MS, () => {
          void attempt(link, ways, controller).catch(() => undefined)
        })
      : (): void => {}
    try {
      await attempt(link, ways, controller)
      link.attempts = 0
      link.trouble = undefined
    } catch (error) {
      if (isAbort(error) && (link.sessions.size > 0 || link.dialAgain)) return
      link.attempts += 1
      const reason = asMeshError(error)
      if (link.trouble !== reason.message) {
        link.trouble = reason.message
        changes.emit(link.id)
      }
      log.debug('a device could not be reached', {
        device: link.id,
        code: reason.code,
        message: reason.message,
        attempts: link.attempts,
      })
    } finally {
      cancelSecond()
      link.dialling = undefined
      if (link.sessions.size === 0) schedule(link, link.dialAgain ? 0 : pauseMs(link, relayed))
      else if (!hasDirect(link)) scheduleDirect(link)
      link.dialAgain = false
    }
  }

  const attempt = async (link: Link, ways: readonly string[], controller: AbortController): Promise<void> => {
    const { signal } = controller
    const connection = await whileDialling(link.id, () => dialFirst(ports.node(), ways, ports, { signal }))
    // the dial may have found the connection that the other device opened: it has or gets its session there
    if (
      connection.direction !== 'outbound' ||
      [...link.sessions].some((session) => session.connection.id === connection.id)
    )
      return
    try {
      await openControl(connection, host, ports, { signal })
    } catch (error) {
      connection.abort(asMeshError(error))
      throw error
    }
  }

  const connectionsOf = (id: DeviceId): Connection[] =>
    ports
      .node()
      .getConnections()
      .filter((connection) => connection.remotePeer.toString() === id)

  const cut = (id: DeviceId, reason: MeshError): void => {
    for (const connection of connectionsOf(id)) connection.abort(reason)
  }

  const neighbours = (): Neighbour[] =>
    online().map((link) => ({ id: link.id, addresses: link.capability?.addresses ?? [] }))

  /** At once, then every so often: who comes and goes without end does not make this device speak to all without end. */
  const tellNeighbours = createPace(clock, NEIGHBOURS_EVERY_MS, () => {
    if (stopped) return
    const all = neighbours()
    for (const link of online()) {
      for (const session of link.sessions)
        session.send({ type: 'neighbours', neighbours: all.filter((one) => one.id !== link.id) })
    }
  })

  const admitted = (id: DeviceId): boolean => membership.admitted(id) !== undefined

  const refusalOf = (id: DeviceId): MeshError =>
    membership.wasRemoved(id)
      ? new MeshError('removed', 'This device was removed from the mesh. Ask for a new invitation.')
      : new MeshError('not-admitted', 'This device is not part of this mesh. Ask its owner for an invitation.')

  const ledgerHost: LedgerHost = {
    have: () => haveOf(membership.ledger()),
    missing: (have) => membership.ledger().missingFor(have),
    async take(from, entries, options) {
      const { waiting, refused } = await membership.ledger().take(entries, options)
      for (const { code, reason } of refused) log.warn('an entry of the ledger was refused', { from, code, reason })
      // their parents are somewhere: most likely where they came from
      if (waiting > 0) catchUp(from)
    },
  }

  /** Fetches what a linked device has and this one lacks. One at a time for each; what is missed meanwhile is asked for again. */
  const catchUp = (id: DeviceId): void => {
    const link = links.get(id)
    const session = link === undefined ? undefined : best(link)
    if (link === undefined || session === undefined || stopped) return
    if (link.fetching) {
      link.fetchAgain = true
      return
    }
    link.fetching = true
    fetchLedger(session.connection, ledgerHost, ports, { signal: life.signal })
      .catch((error: unknown) => {
        if (!isAbort(error)) log.debug('the ledger of a device could not be fetched', { device: id, error })
      })
      .finally(() => {
        link.fetching = false
        const again = link.fetchAgain
        link.fetchAgain = false
        if (again) catchUp(id)
      })
  }

  const host: ControlHost = {
    ledger: ledgerHost,
    admitted,
    mayCall: (id, action) => membership.mayCall(id, action),
    refusal: refusalOf,
    isOfThisMesh: (told) => told.mesh === membership.ledger().mesh,
    hello: () => ({
      type: 'hello',
      mesh: membership.ledger().mesh,
      heads: [...membership.ledger().heads()],
      capability: ports.capability(),
      neighbours: neighbours(),
    }),
    farewell: (removed) => farewellOf(membership.ledger(), removed),
    opened(session, told) {
      const link = linkOf(session.peer)
      const isNew = link.sessions.size === 0
      link.sessions.add(session)
      link.attempts = 0
      link.saidBye = false
      link.trouble = undefined
      link.cancelRedial()
      if (hasDirect(link)) link.directTries = 0
      else scheduleDirect(link)
      takeCapability(link, told.capability)
      hear(link, told)
      takeHeads(link, told.heads)
      book.saw(session.peer, clock.now())
      if (isNew) {
        log.info('a device is linked', {
          device: session.peer,
          path: isRelayed(session.connection) ? 'relayed' : 'direct',
        })
        tellNeighbours()
      }
      changes.emit(session.peer)
    },
    heard(session, frame) {
      const link = linkOf(session.peer)
      if (frame.type === 'capability') takeCapability(link, frame.capability)
      else if (frame.type === 'neighbours') hear(link, frame)
      else if (frame.type === 'heads') takeHeads(link, frame.heads)
      else if (frame.type === 'bye') link.saidBye = true
      else if (frame.type === 'echo') noteRtt(link)
      else frames.emit({ from: session.peer, frame })
    },
    closed(session, reason) {
      const link = linkOf(session.peer)
      link.sessions.delete(session)
      // without its control stream a connection is of no use, and a dead one would be picked again
      session.connection.abort(reason)
      book.saw(session.peer, clock.now())
      if (link.sessions.size === 0) {
        log.info('a link is gone', { device: session.peer, code: reason.code, message: reason.message })
        tellNeighbours()
        schedule(link, link.saidBye ? REDIAL_FIRST_MS : 0)
      }
      changes.emit(session.peer)
    },
  }

  const takeCapability = (link: Link, capability: CapabilityRecord): void => {
    const addresses = capability.addresses.filter((address) => isPlainAddress(address, link.id))
    link.capability = { ...capability, addresses }
    if (addresses.length > 0) book.learn(link.id, addresses)
    changes.emit(link.id)
  }

  const takeHeads = (link: Link, heads: readonly EntryHash[]): void => {
    link.heads = heads
    if (heads.some((head) => membership.ledger().entry(head) === undefined)) catchUp(link.id)
  }

  /** Tells entries that are new here to every linked device, and what this one has now. */
  const tellEntries = (entries: readonly Uint8Array[]): void => {
    for (const link of online()) {
      if (!admitted(link.id)) continue
      for (const batch of batches(entries)) best(link)?.send({ type: 'entries', entries: batch })
      best(link)?.send({ type: 'heads', heads: [...membership.ledger().heads()] })
    }
  }

  /** A neighbour sees a device that this one does not: dial it now. */
  const hear = (link: Link, told: Pick<Hello, 'neighbours'>): void => {
    const before = new Set(link.neighbours.map((one) => one.id))
    link.neighbours = told.neighbours
    for (const one of told.neighbours) if (!before.has(one.id)) noticed(one.id, one.addresses)
  }

  const noticed = (id: DeviceId, addresses: readonly string[]): void => {
    if (id === self || !admitted(id)) return
    book.suggest(
      id,
      addresses.filter((address) => isPlainAddress(address, id)),
    )
    const other = linkOf(id)
    other.attempts = 0
    if (other.sessions.size > 0) return
    if (other.dialling === undefined) schedule(other, headStartMs(id))
    else {
      // it is dialled where it was once; now it is known where it is
      other.dialAgain = true
      other.dialling.abort(new MeshError('aborted', 'A neighbour knows where it is.'))
    }
  }

  /** When two browsers find each other at the same moment, one of them dials first. */
  const headStartMs = (id: DeviceId): number => (self < id || book.addresses(id).some(ports.canDial) ? 0 : 2_000)

  const noteRtt = (link: Link): void => {
    const rttMs = best(link)?.rttMs ?? null
    const before = link.toldRttMs
    if (rttMs !== null && before !== null && Math.abs(rttMs - before) <= Math.max(2, before * 0.3)) return
    link.toldRttMs = rttMs
    changes.emit(link.id)
  }

  const reconcile = (): void => {
    const members = membership.members().filter((member) => member.id !== self && member.removedAt === null)
    for (const member of members) follow(member)
    for (const id of links.keys()) if (!members.some((member) => member.id === id)) unfollow(id)
  }

  const follow = (member: Member): void => {
    if (links.has(member.id)) return
    schedule(linkOf(member.id), headStartMs(member.id))
    // a neighbour may have named it before the ledger did
    for (const link of online())
      for (const one of link.neighbours) if (one.id === member.id) noticed(one.id, one.addresses)
  }

  const unfollow = (id: DeviceId): void => {
    const link = links.get(id)
    link?.cancelRedial()
    link?.dialling?.abort()
    // a device may hold connections and answers without a link
    if (link === undefined || connectionsOf(id).length === 0) {
      links.delete(id)
      return
    }
    // the signed entries go first, so that the device knows and need not guess
    const farewell = membership.wasRemoved(id) ? [...batches(farewellOf(membership.ledger(), id))] : []
    for (const session of link.sessions) {
      for (const entries of farewell) session.send({ type: 'entries', entries })
      session.send({ type: 'bye' })
    }
    clock.schedule(CUT_AFTER_MS, () => {
      if (membership.admitted(id) !== undefined) return
      cut(id, new MeshError('removed', 'This device was removed from the mesh.'))
      links.delete(id)
      changes.emit(id)
    })
  }

  const watchStranger = (connection: Connection): void => {
    const id = connection.remotePeer.toString() as DeviceId
    if (host.admitted(id)) return
    clock.schedule(STRANGER_CONNECTION_MS, () => {
      if (stopped || host.admitted(id) || connection.status !== 'open') return
      // looked at again: what was spared once is not spared for ever
      if (spared.has(id) || dialAllowed.has(id)) watchStranger(connection)
      else connection.abort(host.refusal(id))
    })
  }

  return {
    changes,
    frames,
    host,
    start() {
      ports.node().addEventListener('connection:open', (event: { readonly detail: Connection }) => {
        watchStranger(event.detail)
      })
      membership.changes.subscribe(() => {
        if (stopped) return
        reconcile()
      })
      membership.entries.subscribe((entries) => {
        if (!stopped) tellEntries(entries)
      })
      reconcile()
    },
    mayDial: (id) => dialAllowed.has(id),
    view(id) {
      const link = links.get(id)
      if (link === undefined) return { ...NONE, lastSeenAt: book.seenAt(id) }
      const session = best(link)
      if (session === undefined) {
        return {
          ...NONE,
          state: link.saidBye ? 'asleep' : 'unreachable',
          lastSeenAt: book.seenAt(id),
          capability: link.capability,
          trouble: link.trouble,
        }
      }
      return {
        state: 'online',
        path: isRelayed(session.connection) ? 'relayed' : 'direct',
        rttMs: session.rttMs,
        lastSeenAt: clock.now(),
        capability: link.capability,
        trouble: undefined,
      }
    },
    connection(id) {
      const link = links.get(id)
      const session = link === undefined ? undefined : best(link)
      if (session === undefined)
        throw new MeshError('offline', 'This device cannot be reached now. It is tried again all the time.')
      return session.connection
    },
    dialOnce(id, addresses, options) {
      const ways = addresses
        .filter(ports.canDial)
        .map((address) => (address.includes('/p2p/') ? address : `${address}/p2p/${id}`))
      if (ways.length === 0) {
        return Promise.reject(new MeshError('offline', 'The link names no address that this device could reach.'))
      }
      return whileDialling(id, () => dialFirst(ports.node(), ways, ports, options))
    },
    send(frame, to) {
      for (const link of online()) {
        if (to === undefined || link.id === to) best(link)?.send(frame)
      }
    },
    announce() {
      const capability = ports.capability()
      for (const link of online()) for (const session of link.sessions) session.send({ type: 'capability', capability })
    },
    toldBy(entry) {
      const ledger = membership.ledger()
      const has = (head: EntryHash): boolean => ledger.entry(head) !== undefined && ledger.saw(head, entry)
      return [...links.values()].filter((link) => admitted(link.id) && link.heads.some(has)).length
    },
    spare(id, as = 'proven') {
      const kept = spared.get(id) ?? new Set()
      const mark = { as }
      kept.add(mark)
      spared.set(id, kept)
      const release = (): void => {
        cancel()
        kept.delete(mark)
        if (kept.size === 0 && spared.get(id) === kept) spared.delete(id)
      }
      const cancel = clock.schedule(PENDING_JOIN_MS, release)
      return release
    },
    spared(id) {
      const kept = [...(spared.get(id) ?? [])]
      return kept.some(({ as }) => as === 'proven') ? 'proven' : kept[0]?.as
    },
    noticed,
    stunServers: () => [
      ...new Set(
        online().flatMap((link) => {
          const port = link.capability?.stunPort
          const host = [...link.sessions].flatMap(({ connection }) => hostOf(connection) ?? [])[0]
          return port === undefined || host === undefined ? [] : [`stun:${host}:${String(port)}`]
        }),
      ),
    ],
    wake() {
      for (const link of links.values()) {
        for (const session of link.sessions) session.probe()
        link.attempts = 0
        if (link.sessions.size === 0 && link.dialling === undefined) schedule(link, 0)
      }
    },
    async stop() {
      stopped = true
      life.abort(new MeshError('aborted', 'Stopped.'))
      for (const link of links.values()) {
        link.cancelRedial()
        link.dialling?.abort()
        for (const session of link.sessions) session.send({ type: 'bye' })
      }
      await book.flush()
    },
  }
}

/** The host a direct connection was made to; what a device says of itself must not send packets elsewhere. */
function hostOf(connection: Connection): string | undefined {
  if (isRelayed(connection)) return undefined
  return /^\/(?:ip4|dns4?)\/([a-z0-9.-]+)\//i.exec(connection.remoteAddr.toString())?.[1]
}
