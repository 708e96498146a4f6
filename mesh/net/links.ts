import type { Connection } from '@libp2p/interface'
import {
  asMeshError,
  createEvents,
  DIRECT_RETRY_FIRST_MS,
  DIRECT_RETRY_MAX_MS,
  HINT_DIAL_MS,
  HINT_REVIVE_MS,
  isAbort,
  MeshError,
  NEIGHBOURS_EVERY_MS,
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
import { authorize, type Action, type Member, type Membership, type ObjectOf } from '../identity/index.ts'
import type { AddressBook } from './address-book.ts'
import { hostOf } from './address-rules.ts'
import { dialFirst, isLastResort, type DialGate } from './dial.ts'
import { createHearsay, isOf } from './hearsay.ts'
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
  /**
   * Hears frames of the control stream that are not about the link itself. Its work is at the cost
   * of who sent the frame, as far as what it gives resolves when that is done.
   */
  onFrame(hear: (from: DeviceId, frame: ControlFrame) => Promise<void>): void
  readonly host: ControlHost
  view(id: DeviceId): LinkView
  /** The best connection to a device. @throws MeshError `offline` */
  connection(id: DeviceId): Connection
  /**
   * A new connection outside the supervision, for a join: it proves what listens at these addresses,
   * and nothing that goes on over another connection, or ends there, touches it.
   * @throws MeshError `offline`, `aborted`
   */
  dialOnce(id: DeviceId, addresses: readonly string[], options: { readonly signal: AbortSignal }): Promise<Connection>
  /** Whether this device has such a connection with it: it asked for what comes over it. */
  isAsked(id: DeviceId): boolean
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
  /** A device was noticed on the local network at these addresses; dialled there if it was admitted and is not linked. */
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
  /** As it was told, with the addresses that are believed: what of it counts is {@link Links.view}. */
  capability: CapabilityRecord | undefined
  /** The heads of the ledger as the device has it. */
  heads: readonly EntryHash[]
  /** The devices it sees, and where it says they are; also those that this one does not know yet. */
  neighbours: ReadonlyMap<DeviceId, readonly string[]>
  /** What it was told last of this one's neighbours, so that it is not told again; undefined: nothing yet. */
  toldNeighbours: string | undefined
  attempts: number
  /** Tries to replace a relayed link by a direct one. */
  directTries: number
  saidBye: boolean
  trouble: string | undefined
  toldRttMs: number | null
  fetching: boolean
  fetchAgain: boolean
  /** After a fetch that brought nothing, in ms. */
  fetchPauseMs: number
  dialling: Dialling | undefined
  /** When it was dialled last, and when a hint last let its pauses begin anew; in ms of the monotonic clock. */
  dialledAt: number
  revivedAt: number
  /** When it is dialled next; undefined: nobody has planned it. */
  redialAt: number | undefined
  cancelRedial: () => void
}

interface Dialling {
  readonly controller: AbortController
  /** Ways that were given to it so far. */
  readonly ways: Set<string>
}

/** How a device may be reached right now. */
interface Ways {
  readonly ways: readonly string[]
  /** No address of it is known: what ways there are lead through others. */
  readonly relayed: boolean
  /** When the first of the addresses that are left alone now may be dialled again, in ms; undefined: none is. */
  readonly againMs: number | undefined
  readonly gate: DialGate
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

/** What a device counts for that may answer nobody. */
const NO_LOAD: CapabilityRecord['load'] = { slots: 0, busy: 0, queued: 0 }

/** What relayed connections run on (circuit v2). */
const RELAY_PROTOCOLS = '/libp2p/circuit/relay/'

/** How long a removed device has to hear that it was, in ms. */
const CUT_AFTER_MS = 500

/** Pauses between fetches of the ledger that bring nothing, in ms. */
const FETCH_PAUSE_FIRST_MS = 250
const FETCH_PAUSE_MAX_MS = 60_000

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
  const asked = new Map<DeviceId, number>()
  const onListenerError = (error: unknown): void => {
    log.error('a listener of links failed', { error })
  }
  const changes = createEvents<DeviceId>(onListenerError)
  const hearers: ((from: DeviceId, frame: ControlFrame) => Promise<void>)[] = []
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
      neighbours: new Map(),
      toldNeighbours: undefined,
      attempts: 0,
      directTries: 0,
      saidBye: false,
      trouble: undefined,
      toldRttMs: null,
      fetching: false,
      fetchAgain: false,
      fetchPauseMs: 0,
      dialling: undefined,
      dialledAt: -Infinity,
      revivedAt: -Infinity,
      redialAt: undefined,
      cancelRedial() {},
    }
    links.set(id, link)
    return link
  }

  const online = (): Link[] => [...links.values()].filter((link) => link.sessions.size > 0)

  const may = <Of extends Action>(id: DeviceId, action: Of, object: ObjectOf<Of>): boolean =>
    authorize(membership.subject(id), action, object).allowed

  /** Whether it may answer a question of that device: what else it says of models and load counts for nothing. */
  const answers = (link: Link, asker: DeviceId): boolean =>
    (link.capability?.load.slots ?? 0) > 0 && membership.mayServe(link.id, 'answer', asker)

  /** What a device said of itself, as far as its role lets it count. */
  const counted = (link: Link): CapabilityRecord | undefined => {
    const { capability } = link
    if (capability === undefined || membership.mayServe(link.id, 'answer', self)) return capability
    return { ...capability, models: [], load: NO_LOAD }
  }

  /** The hosts a device is connected from or to, relayed links aside. */
  const hostsOf = (id: DeviceId): string[] =>
    [...(links.get(id)?.sessions ?? [])].flatMap(({ connection }) =>
      isRelayed(connection) ? [] : (hostOf(connection.remoteAddr.toString()) ?? []),
    )

  const hearsay = createHearsay({
    ...{ membership, book, clock, hostsOf },
    canDial: ports.canDial,
    hintsOf: (id) =>
      online()
        .filter((link) => link.id !== id && may(link.id, 'hint', 'other-device'))
        .map((link) => ({ teller: link.id, addresses: link.neighbours.get(id) ?? [] })),
  })

  /** Helpers a device may be reached through: those of who may relay. */
  const relays = (id: DeviceId): Link[] =>
    membership.mayServe(id, 'be-relayed', self)
      ? online().filter(
          (link) =>
            link.id !== id &&
            membership.admitted(link.id)?.kind === 'helper' &&
            membership.mayServe(link.id, 'relay', id) &&
            hasDirect(link),
        )
      : []

  /** Ways to a device, best first: its own addresses, then through each helper that relays. */
  const waysTo = (id: DeviceId): Ways => {
    const { addresses, unknown, againMs, gate } = hearsay.places(id)
    const through = membership.admitted(id)?.kind === 'browser' ? relays(id) : []
    const indirect = [
      ...through.map((link) => `/p2p/${link.id}/p2p-circuit/webrtc/p2p/${id}`),
      // networks that keep their devices apart leave nothing else; never beside a relayed link, which it would be again
      ...(links.get(id)?.sessions.size ? [] : through.map((link) => `/p2p/${link.id}/p2p-circuit/p2p/${id}`)),
    ].filter((way) => isLastResort(way) || ports.canDial(way))
    const addressOf = new Map(addresses.map((address) => [wayOf(address, id), address]))
    return { ways: [...addressOf.keys(), ...indirect], relayed: unknown, againMs, gate: gate(addressOf) }
  }

  const keepAsked = (id: DeviceId, connection: Connection): void => {
    if (connection.status !== 'open') return
    asked.set(id, (asked.get(id) ?? 0) + 1)
    const onClose = (): void => {
      const left = (asked.get(id) ?? 1) - 1
      if (left > 0) asked.set(id, left)
      else asked.delete(id)
    }
    connection.addEventListener('close', onClose, { once: true })
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
    link.redialAt = undefined
    if (stopped || membership.admitted(link.id) === undefined || link.id === self) return
    link.redialAt = clock.monotonic() + delayMs
    link.cancelRedial = clock.schedule(delayMs, () => {
      link.redialAt = undefined
      void connect(link)
    })
  }

  /** As {@link schedule}, unless it is to be dialled sooner in any case. */
  const scheduleWithin = (link: Link, delayMs: number): void => {
    if (link.redialAt === undefined || link.redialAt > clock.monotonic() + delayMs) schedule(link, delayMs)
  }

  const scheduleDirect = (link: Link): void => {
    schedule(link, Math.min(DIRECT_RETRY_FIRST_MS * 2 ** Math.min(link.directTries, 10), DIRECT_RETRY_MAX_MS))
    link.directTries += 1
  }

  const pauseMs = (link: Link, relayed: boolean): number =>
    Math.min(REDIAL_FIRST_MS * 1.6 ** Math.min(link.attempts, 20), relayed ? REDIAL_UNSEEN_MAX_MS : REDIAL_MAX_MS)

  const connect = async (link: Link): Promise<void> => {
    if (stopped || link.dialling !== undefined || hasDirect(link)) return
    const found = waysTo(link.id)
    const { ways, relayed, againMs } = found
    if (ways.length === 0) {
      if (againMs === undefined) link.trouble = 'No address of it is known here; it can still connect by itself.'
      else scheduleWithin(link, Math.max(againMs, REDIAL_FIRST_MS))
      return
    }
    const controller = new AbortController()
    link.dialling = { controller, ways: new Set(ways) }
    link.dialledAt = clock.monotonic()
    // a dial through a relay may hang in its set-up: a second one beside it often succeeds
    const cancelSecond = relayed
      ? clock.schedule(SECOND_ATTEMPT_MS, () => {
          void attempt(link, found, controller).catch(() => undefined)
        })
      : (): void => {}
    try {
      await attempt(link, found, controller)
      link.attempts = 0
      link.trouble = undefined
    } catch (error) {
      if (isAbort(error) && link.sessions.size > 0) return
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
      if (link.sessions.size === 0) schedule(link, pauseMs(link, relayed))
      else if (!hasDirect(link)) scheduleDirect(link)
    }
  }

  /** Tries ways that became known while the device is dialled, beside those that are under way. */
  const tryBeside = (link: Link, dialling: Dialling): void => {
    const found = waysTo(link.id)
    const ways = found.ways.filter((way) => !dialling.ways.has(way))
    if (ways.length === 0) return
    for (const way of ways) dialling.ways.add(way)
    attempt(link, { ...found, ways }, dialling.controller)
      .then(() => {
        if (link.sessions.size > 0) dialling.controller.abort(new MeshError('aborted', 'Another way was faster.'))
      })
      .catch((error: unknown) => {
        log.debug('a hint led nowhere', { device: link.id, message: asMeshError(error).message })
      })
  }

  const attempt = async (link: Link, { ways, gate }: Ways, controller: AbortController): Promise<void> => {
    const { signal } = controller
    const connection = await whileDialling(link.id, () => dialFirst(ports.node(), ways, { ...ports, gate }, { signal }))
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

  /** Whoever lost the right to be relayed keeps no connection through this device's relay either. */
  const cutRelayed = (id: DeviceId): void => {
    for (const { streams } of connectionsOf(id))
      for (const stream of streams)
        if (stream.protocol.startsWith(RELAY_PROTOCOLS))
          stream.abort(new MeshError('unauthorized', 'The role of this device does not allow it any more.'))
  }

  /** The devices that are linked here, as far as that one may know where they are. Who may not say it is not named. */
  const neighboursFor = (hearer: DeviceId): Neighbour[] =>
    online()
      .filter((link) => link.id !== hearer && may(link.id, 'hint', 'self'))
      .filter((link) => may(hearer, 'locate', answers(link, hearer) ? 'answering-device' : 'other-device'))
      .map((link) => ({ id: link.id, addresses: link.capability?.addresses ?? [] }))

  /** At once, then every so often: who comes and goes without end does not make this device speak to all without end. */
  const tellNeighbours = createPace(clock, NEIGHBOURS_EVERY_MS, () => {
    if (stopped) return
    for (const link of online()) {
      const neighbours = neighboursFor(link.id)
      const told = neighbours.map((one) => one.id).join()
      if (told === link.toldNeighbours) continue
      link.toldNeighbours = told
      for (const session of link.sessions) session.send({ type: 'neighbours', neighbours })
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
      // a device that was not known yet may bring the entry that admits it, and is judged by that
      if (admitted(from) && !may(from, 'tell-ledger', 'mesh')) {
        log.debug('entries of the ledger were not taken from who may give none', { from })
        return
      }
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
    if (link === undefined || session === undefined || stopped || !may(id, 'tell-ledger', 'mesh')) return
    if (link.fetching) {
      link.fetchAgain = true
      return
    }
    link.fetching = true
    const before = membership.ledger().heads()
    fetchLedger(session.connection, ledgerHost, ports, { signal: life.signal })
      .catch((error: unknown) => {
        if (!isAbort(error)) log.debug('the ledger of a device could not be fetched', { device: id, error })
      })
      .finally(() => {
        link.fetching = false
        const again = link.fetchAgain
        link.fetchAgain = false
        // what is put off comes no sooner by asking without end
        const isNews = membership.ledger().heads() !== before
        link.fetchPauseMs = isNews
          ? 0
          : Math.min(FETCH_PAUSE_MAX_MS, Math.max(FETCH_PAUSE_FIRST_MS, link.fetchPauseMs * 2))
        if (!again) return
        if (isNews) catchUp(id)
        else {
          clock.schedule(link.fetchPauseMs, () => {
            catchUp(id)
          })
        }
      })
  }

  const host: ControlHost = {
    ledger: ledgerHost,
    admitted,
    mayCall: (id, action) => membership.mayCall(id, action),
    refusal: refusalOf,
    isOfThisMesh: (told) => told.mesh === membership.ledger().mesh,
    hello: (to) => ({
      type: 'hello',
      mesh: membership.ledger().mesh,
      heads: [...membership.ledger().heads()],
      capability: ports.capability(),
      neighbours: neighboursFor(to),
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
      link.redialAt = undefined
      if (hasDirect(link)) link.directTries = 0
      else scheduleDirect(link)
      link.toldNeighbours = undefined
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
    async heard(session, frame) {
      const link = linkOf(session.peer)
      if (frame.type === 'capability') takeCapability(link, frame.capability)
      else if (frame.type === 'neighbours') hear(link, frame)
      else if (frame.type === 'heads') takeHeads(link, frame.heads)
      else if (frame.type === 'bye') link.saidBye = true
      else if (frame.type === 'echo') noteRtt(link)
      else for (const hear of hearers) await hear(session.peer, frame)
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
    const wasOne = answers(link, self)
    const addresses = hearsay.believed(capability.addresses, link.id, hostsOf(link.id))
    link.capability = { ...capability, addresses }
    keepTold(link)
    // guests are told of those that answer, and of no others
    if (answers(link, self) !== wasOne) tellNeighbours()
    changes.emit(link.id)
  }

  /** Keeps where a device says it is, if it may say that. */
  const keepTold = (link: Link): void => {
    const addresses = link.capability?.addresses ?? []
    if (addresses.length === 0) return
    if (may(link.id, 'hint', 'self')) book.told(link.id, addresses)
    else log.debug('addresses of a device that may tell none were not kept', { device: link.id })
  }

  const takeHeads = (link: Link, heads: readonly EntryHash[]): void => {
    link.heads = heads
    const ledger = membership.ledger()
    if (heads.some((head) => ledger.entry(head) === undefined && !ledger.wasLeftOut(head))) catchUp(link.id)
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
    if (told.neighbours.length === 0 && link.neighbours.size === 0) return
    if (!may(link.id, 'hint', 'other-device')) {
      log.debug('hints of a device that may give none were not heard', { device: link.id })
      return
    }
    const before = link.neighbours
    const hosts = hostsOf(link.id)
    link.neighbours = new Map(told.neighbours.map(({ id, addresses }) => [id, hearsay.believed(addresses, id, hosts)]))
    for (const id of link.neighbours.keys()) if (!before.has(id)) noticed(id, link.neighbours.get(id) ?? [])
  }

  /**
   * Somebody sees a device that is not linked here: it is dialled soon. However often that is
   * said, addresses at which it was reached are dialled hardly more often for it, and told
   * ones as often as their tellers can pay.
   */
  const noticed = (id: DeviceId, addresses: readonly string[]): void => {
    if (id === self || !admitted(id)) return
    const other = linkOf(id)
    if (other.sessions.size > 0) return
    hearsay.lift(id, addresses)
    const now = clock.monotonic()
    if (now - other.revivedAt >= HINT_REVIVE_MS) {
      other.revivedAt = now
      other.attempts = 0
    }
    // it is dialled where it was once; now it may be known where it is
    if (other.dialling !== undefined) tryBeside(other, other.dialling)
    else scheduleWithin(other, Math.max(headStartMs(id), other.dialledAt + HINT_DIAL_MS - now))
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
    for (const link of online()) {
      keepTold(link)
      if (!membership.mayServe(link.id, 'be-relayed', self)) cutRelayed(link.id)
    }
    tellNeighbours()
    for (const id of links.keys()) if (!members.some((member) => member.id === id)) unfollow(id)
  }

  const follow = (member: Member): void => {
    if (links.has(member.id)) return
    schedule(linkOf(member.id), headStartMs(member.id))
    // a neighbour may have named it before the ledger did
    for (const link of online()) {
      const addresses = link.neighbours.get(member.id)
      if (addresses !== undefined) noticed(member.id, addresses)
    }
  }

  const unfollow = (id: DeviceId): void => {
    const link = links.get(id)
    link?.cancelRedial()
    link?.dialling?.controller.abort()
    hearsay.forget(id)
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
    onFrame(hear) {
      hearers.push(async (from, frame) => {
        try {
          await hear(from, frame)
        } catch (error) {
          onListenerError(error)
        }
      })
    },
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
          capability: counted(link),
          trouble: link.trouble,
        }
      }
      return {
        state: 'online',
        path: isRelayed(session.connection) ? 'relayed' : 'direct',
        rttMs: session.rttMs,
        lastSeenAt: clock.now(),
        capability: counted(link),
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
      const addressOf = new Map(
        addresses
          .filter(ports.canDial)
          .map((address) => [address.includes('/p2p/') ? address : `${address}/p2p/${id}`, address]),
      )
      const ways = [...addressOf.keys()]
      if (ways.length === 0) {
        return Promise.reject(new MeshError('offline', 'The link names no address that this device could reach.'))
      }
      const gate: DialGate = {
        admits: () => true,
        worked(way, connection) {
          const address = addressOf.get(way)
          if (address !== undefined && isOf(connection, id)) hearsay.reached(id, address)
        },
        failed() {},
      }
      return whileDialling(id, async () => {
        const connection = await dialFirst(ports.node(), ways, { ...ports, gate, isNew: true }, options)
        keepAsked(id, connection)
        return connection
      })
    },
    isAsked: (id) => asked.has(id),
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
    noticed(id, addresses) {
      if (id === self || !admitted(id)) return
      noticed(id, hearsay.noticed(id, addresses))
    },
    stunServers: () => [
      ...new Set(
        online().flatMap((link) => {
          const port = membership.mayServe(link.id, 'relay', self) ? link.capability?.stunPort : undefined
          const host = [...link.sessions].flatMap(({ connection }) => namedHostOf(connection) ?? [])[0]
          return port === undefined || host === undefined ? [] : [`stun:${host}:${String(port)}`]
        }),
      ),
    ],
    wake() {
      hearsay.clear()
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
        link.dialling?.controller.abort()
        for (const session of link.sessions) session.send({ type: 'bye' })
      }
      await book.flush()
    },
  }
}

/** The host a direct connection was made to; what a device says of itself must not send packets elsewhere. */
function namedHostOf(connection: Connection): string | undefined {
  if (isRelayed(connection)) return undefined
  return /^\/(?:ip4|dns4?)\/([a-z0-9.-]+)\//i.exec(connection.remoteAddr.toString())?.[1]
}

function wayOf(address: string, id: DeviceId): string {
  return address.includes(`/p2p/${id}`) ? address : `${address}/p2p/${id}`
}
