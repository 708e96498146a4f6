import type { Connection, ConnectionGater, Libp2p, MultiaddrConnection, Stream, StreamMuxer } from '@libp2p/interface'
import {
  AWAITED_CONNECTIONS_MAX,
  DEVICE_CONNECTIONS_MAX,
  HANDSHAKES_BURST_SECONDS,
  HANDSHAKES_PER_SECOND,
  HANDSHAKES_PENDING_MAX,
  MeshError,
  randomInt,
  sleep,
  STRANGER_CONNECTIONS_MAX,
  STRANGER_DEVICE_CONNECTIONS_MAX,
  STREAMS_UNNAMED_MAX,
  type Clock,
  type DeviceId,
  type Random,
} from '../base/index.ts'
import {
  bindAccount,
  createBucket,
  createBudgets,
  payForMessage,
  payForStream,
  type Account,
  type Bucket,
  type Spender,
} from './budgets/index.ts'
import { createPlaces, sourceOf, surplus, type Places } from './places.ts'
import { watchWire, type Wire } from './wire.ts'

/** Who somebody is, for the places and budgets of a node. */
export interface GuardRules {
  readonly clock: Clock
  readonly random: Random
  /** At whose budget a device is served. */
  spender(id: DeviceId): Spender
  /** How much of the work of their budgets others may have here. Default 1. */
  readonly workShare?: number | undefined
  /** Whether places are kept for it; everybody else shares those of strangers. */
  isExpected(id: DeviceId): boolean
  /** A stranger that waits here for people: proven by an invitation, or only knocking. */
  waits?(id: DeviceId): 'proven' | 'knocking' | undefined
  /** Connections of strangers in all. Default {@link STRANGER_CONNECTIONS_MAX}. */
  readonly strangersMax?: number | undefined
}

/** Places and budgets of a node. */
export interface Guard {
  readonly gater: Pick<
    ConnectionGater,
    | 'denyInboundConnection'
    | 'denyInboundUpgradedConnection'
    | 'denyOutboundConnection'
    | 'denyOutboundUpgradedConnection'
  >
  /** Counts the connections of a node from its start on. */
  attach(node: Libp2p): void
}

/** Most hosts whose handshakes are counted at once. */
const SOURCES_MAX = 1_024
/** Up to how much longer than needed a handshake that has to wait does so, in ms. */
const TURN_JITTER_MS = 200

/**
 * Nobody who is not admitted keeps an admitted device out: strangers have places of their
 * own, a newcomer among them always finds one, and what they may cost is one common budget.
 */
export function createGuard(rules: GuardRules): Guard {
  const { clock, random } = rules
  const budgets = createBudgets({ clock, workShare: rules.workShare, spender: (id) => rules.spender(id) })
  const handshakes = createPlaces(HANDSHAKES_PENDING_MAX, random)
  const strangers = createPlaces(rules.strangersMax ?? STRANGER_CONNECTIONS_MAX, random)
  const awaited = createPlaces(AWAITED_CONNECTIONS_MAX, random)
  const turns = createTurns(rules)
  const wires = new WeakMap<MultiaddrConnection, Wire>()
  const pending = new WeakMap<MultiaddrConnection, () => void>()

  const watch = (connection: MultiaddrConnection): Wire => {
    const wire = wires.get(connection) ?? watchWire(connection, clock)
    wires.set(connection, wire)
    return wire
  }
  const meter = (peer: { toString(): string }, connection: MultiaddrConnection): void => {
    watch(connection).meter(budgets.account(peer.toString() as DeviceId, connection.timeline))
  }

  const seat = (connection: Connection, id: DeviceId): void => {
    const source = sourceOf(connection.remoteAddr.toString())
    const abort = (): void => {
      connection.abort(new MeshError('busy', 'Too many devices that are not admitted are connected. Try again.'))
    }
    const sit = (places: Places, leave: () => void): void => {
      if (connection.status !== 'open') return
      connection.addEventListener('close', places.take({ source, leave }), { once: true })
    }
    sit(strangers, () => {
      // it may have been let in meanwhile, or people may be looking at its pictures
      if (rules.isExpected(id)) return
      const waits = rules.waits?.(id)
      if (waits === undefined) abort()
      else if (waits === 'knocking') sit(awaited, abort)
    })
  }

  const onOpen = (node: Libp2p, connection: Connection): void => {
    const id = connection.remotePeer.toString() as DeviceId
    const account = budgets.account(id, connection.timeline)
    bindAccount(connection, account)
    payForArrivals(connection, account)
    if (connection.direction !== 'inbound') return
    const isExpected = rules.isExpected(id)
    const max = isExpected ? DEVICE_CONNECTIONS_MAX : STRANGER_DEVICE_CONNECTIONS_MAX
    const others = node
      .getConnections(connection.remotePeer)
      .filter((one) => one.direction === 'inbound' && one !== connection)
    const counted = others.map((one) => ({
      one,
      openedAtMs: one.timeline.open,
      streams: one.streams.length,
    }))
    for (const { one } of surplus(counted, max - 1))
      one.abort(new MeshError('busy', 'A device has no more connections than this. The newest counts.'))
    if (!isExpected) seat(connection, id)
  }

  const onClose = (node: Libp2p, connection: Connection): void => {
    const { remotePeer } = connection
    if (rules.isExpected(remotePeer.toString() as DeviceId) || node.getConnections(remotePeer).length > 0) return
    // what libp2p notes of everybody who was ever connected would grow for ever
    node.peerStore.delete(remotePeer).catch(() => undefined)
  }

  return {
    gater: {
      async denyInboundConnection(connection) {
        watch(connection)
        const source = sourceOf(connection.remoteAddr.toString())
        const release = handshakes.take({
          source,
          leave() {
            connection.abort(new MeshError('busy', 'Too many devices are connecting at once. Try again.'))
          },
        })
        pending.set(connection, release)
        connection.addEventListener('close', release, { once: true })
        await turns.wait(source)
        return connection.status !== 'open'
      },
      denyInboundUpgradedConnection(peer, connection) {
        pending.get(connection)?.()
        meter(peer, connection)
        // it was cut for a flood, and comes back for the next one
        return budgets.account(peer.toString() as DeviceId, connection.timeline).arrivalsOwedMs() > 0
      },
      denyOutboundConnection(_, connection) {
        watch(connection)
        return false
      },
      denyOutboundUpgradedConnection(peer, connection) {
        meter(peer, connection)
        return false
      },
    },
    attach(node) {
      node.addEventListener('connection:open', (event: { readonly detail: Connection }) => {
        onOpen(node, event.detail)
      })
      node.addEventListener('connection:close', (event: { readonly detail: Connection }) => {
        onClose(node, event.detail)
      })
    },
  }
}

/** A data channel of WebRTC. */
interface Channel {
  readonly label: string
  onmessage: ((event: { readonly data: unknown }) => void) | null
}
/** What muxers have beside their interface; the streams of WebRTC are data channels. */
interface Muxer extends StreamMuxer {
  readonly peerConnection?: { ondatachannel: ((event: { readonly channel: Channel }) => void) | null }
  createStream(...args: readonly unknown[]): Promise<Stream>
}

/** The muxer of WebRTC. */
const DATA_CHANNELS = '/webrtc'
/** What comes on such a stream is of the connection that is relayed over it, and charged there. */
const RELAYED_PROTOCOL = /^\/libp2p\/circuit\/relay\//
/** A channel of the library's own that opens a connection, and is closed as it comes. */
const INIT_CHANNEL = 'init'

/**
 * What costs this device by arriving and reaches no handler of ours: streams that name no protocol, those of the
 * library's protocols and of such as have all they may; and messages of WebRTC, whose sender nothing holds back.
 * (Elsewhere whoever owes is not read from.)
 */
function payForArrivals(connection: Connection, account: Account): void {
  const { muxer } = connection as Connection & { readonly muxer?: Muxer }
  if (muxer === undefined) return
  muxer.addEventListener('stream', ({ detail: stream }: { readonly detail: Stream }) => {
    const onClose = (): void => {
      // not those that end with their connection
      if (muxer.status === 'open') payForStream(account, connection, stream)
    }
    stream.addEventListener('close', onClose, { once: true })
  })
  if (muxer.protocol === DATA_CHANNELS) payForChannels(muxer, connection, account)
}

function payForChannels(muxer: Muxer, connection: Connection, account: Account): void {
  const payForMessages = (stream: Stream): void => {
    const { channel } = stream as Stream & { readonly channel: Channel }
    const take = channel.onmessage
    channel.onmessage = (event): void => {
      const isPaid = RELAYED_PROTOCOL.test(stream.protocol) || payForMessage(account, connection, lengthOf(event.data))
      if (isPaid) take?.call(channel, event)
    }
  }
  muxer.addEventListener('stream', ({ detail: stream }: { readonly detail: Stream }) => {
    payForMessages(stream)
    const unnamed = muxer.streams.filter((one) => one.direction === 'inbound' && one.protocol === '').length
    if (unnamed > STREAMS_UNNAMED_MAX) stream.abort(new MeshError('busy', 'Too many streams without a protocol.'))
  })
  const create = muxer.createStream.bind(muxer)
  muxer.createStream = async (...args): Promise<Stream> => {
    const stream = await create(...args)
    payForMessages(stream)
    return stream
  }
  const { peerConnection } = muxer
  const hear = peerConnection?.ondatachannel
  if (peerConnection === undefined || hear === null || hear === undefined) return
  peerConnection.ondatachannel = (event): void => {
    if (event.channel.label !== INIT_CHANNEL || payForStream(account, connection, event.channel))
      hear.call(peerConnection, event)
  }
}

function lengthOf(data: unknown): number {
  return data instanceof ArrayBuffer || ArrayBuffer.isView(data) ? data.byteLength : 0
}

/** Handshakes cost this device's processor: each host has so many a second, and whoever is over waits, in no order. */
function createTurns({ clock, random }: GuardRules): { wait(source: string): Promise<void> } {
  const buckets = new Map<string, Bucket>()
  const rate = { perSecond: HANDSHAKES_PER_SECOND, burstSeconds: HANDSHAKES_BURST_SECONDS }
  const bucketOf = (source: string): Bucket => {
    const bucket = buckets.get(source) ?? createBucket(rate, clock, TURN_JITTER_MS)
    buckets.delete(source)
    buckets.set(source, bucket)
    if (buckets.size > SOURCES_MAX) {
      const [oldest] = buckets.keys()
      if (oldest !== undefined) buckets.delete(oldest)
    }
    return bucket
  }
  return {
    async wait(source) {
      const bucket = bucketOf(source)
      // by lot: who came first has no right to be next, else a crowd would hold the line
      for (let waitMs = bucket.waitMs(); waitMs > 0; waitMs = bucket.waitMs())
        await sleep(clock, waitMs + randomInt(random, TURN_JITTER_MS))
      bucket.take(1)
    },
  }
}
