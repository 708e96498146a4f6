import { noise } from '@libp2p/noise'
import { identify, type Identify } from '@libp2p/identify'
import type { Connection, ConnectionGater, Libp2p, PrivateKey, Transport } from '@libp2p/interface'
import { ping, type Ping } from '@libp2p/ping'
import type { Multiaddr } from '@multiformats/multiaddr'
import { createLibp2p, type Libp2pOptions } from 'libp2p'
import type { DeviceId } from '../base/index.ts'
import { boundedYamux } from './bounded-muxer.ts'
import { createGuard, type GuardRules } from './guard.ts'

/**
 * Dials one way and no other, beside dials that are under way: libp2p's own queue
 * makes one job of all dials to a device and tries their ways in turn, so that one
 * that hangs holds up the rest.
 */
export interface Dialler {
  dial(way: Multiaddr, options: { readonly signal: AbortSignal }): Promise<Connection>
}

/** The services every node of ours runs. */
export interface NodeServices extends Record<string, unknown> {
  readonly dialler: Dialler
  readonly identify: Identify
  readonly ping: Ping
}

/** A running libp2p node of ours. */
export type PeerNode = Libp2p<NodeServices>

/** Bounds of libp2p's that are not used. */
const UNLIMITED = 1_000_000

type Factories = NonNullable<Libp2pOptions<NodeServices>['services']>

/** What a composition root knows about its surroundings: which transports there are and where to listen. */
export interface NodePreset {
  // the factories' component types differ from transport to transport; libp2p checks them when it starts
  readonly transports: readonly ((components: never) => Transport)[]
  /** Multiaddrs to listen on; asked anew at each try to start. */
  listen(): Promise<readonly string[]>
  /** How often a start may be tried: more than once where ports are picked that another program may take first. Default 1. */
  readonly startTries?: number | undefined
  /** Services beside identify and ping, such as the relay. */
  readonly services?: Readonly<Record<string, (components: never) => unknown>> | undefined
  /** Whether this environment can dial such an address at all. */
  canDial(address: string): boolean
  /** The place of a way where this environment knows better than the usual order: lower is earlier, undefined is usual. */
  rank?(address: string): number | undefined
  /** Told which STUN servers of this mesh are in reach now (`stun:HOST:PORT`); used for the set-up of WebRTC. */
  useStun?(servers: readonly string[]): void
}

/** Decisions of the peer that libp2p asks for. */
export interface NodeRules {
  /** Only devices the link supervisor decided to dial are dialled; libp2p's own ideas are refused. */
  mayDial(id: DeviceId): boolean
  /** Whom the relay keeps reachable. */
  mayRelay(id: DeviceId): boolean
  /** Whom it connects with whom; asked for each relayed connection. */
  mayConnect(source: DeviceId, destination: DeviceId): boolean
  /** Who has places here and what they may cost; absent: a bare node that counts nobody. */
  readonly guard?: GuardRules | undefined
}

/**
 * Starts a node: Noise, Yamux, identify, ping, and the preset's transports. No
 * public STUN, bootstrap node, DHT or discovery: it talks to whom it is told.
 * @throws what a listener throws that does not come up
 */
export async function createNode(preset: NodePreset, privateKey: PrivateKey, rules: NodeRules): Promise<PeerNode> {
  for (let triesLeft = preset.startTries ?? 1; ; triesLeft--) {
    const node = await buildNode(preset, await preset.listen(), privateKey, rules)
    try {
      await node.start()
      return node
    } catch (error) {
      await node.stop()
      if (triesLeft <= 1) throw error
    }
  }
}

async function buildNode(
  preset: NodePreset,
  listen: readonly string[],
  privateKey: PrivateKey,
  rules: NodeRules,
): Promise<PeerNode> {
  const idOf = (peer: { toString(): string }): DeviceId => peer.toString() as DeviceId
  const guard = rules.guard === undefined ? undefined : createGuard(rules.guard)
  const connectionGater: ConnectionGater = {
    ...guard?.gater,
    // private addresses are where one's own devices live; libp2p would refuse them in browsers
    denyDialMultiaddr: () => false,
    // a dial of libp2p's own (relay discovery) that fails would bar the helper as a relay for good
    denyDialPeer: (peer) => !rules.mayDial(idOf(peer)),
    denyInboundRelayReservation: (peer) => !rules.mayRelay(idOf(peer)),
    denyOutboundRelayedConnection: (source, destination) => !rules.mayConnect(idOf(source), idOf(destination)),
  }
  const node = await createLibp2p<NodeServices>({
    privateKey,
    nodeInfo: { name: 'plexus', userAgent: 'plexus' },
    start: false,
    addresses: { listen: [...listen] },
    transports: preset.transports as unknown as NonNullable<Libp2pOptions['transports']>,
    connectionEncrypters: [noise()],
    streamMuxers: [boundedYamux()],
    connectionGater,
    // our own heartbeat watches links and knows about sleep; libp2p's would cut them on resume
    connectionMonitor: { enabled: false },
    connectionManager: {
      // libp2p would refuse whoever comes last, member or not: the guard counts in its place
      inboundConnectionThreshold: UNLIMITED,
      maxIncomingPendingConnections: UNLIMITED,
      maxConnections: UNLIMITED,
      reconnectRetries: 0,
    },
    services: {
      // identify pushes and a second prober share one stream by default, and a refused ping cuts the link
      ping: ping({ maxInboundStreams: 16, maxOutboundStreams: 16 }),
      identify: identify({ maxInboundStreams: 8, maxOutboundStreams: 8 }),
      dialler: ({ transportManager }: { readonly transportManager: Dialler }): Dialler => ({
        dial: (way, options) => transportManager.dial(way, options),
      }),
      ...preset.services,
    } as unknown as Factories,
  })
  guard?.attach(node)
  return node
}

/** Where a node can be reached: multiaddrs that name its peer id. */
export function addressesOf(node: PeerNode): string[] {
  return node.getMultiaddrs().map((address: Multiaddr) => address.toString())
}
