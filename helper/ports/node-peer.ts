import { circuitRelayTransport } from '@libp2p/circuit-relay-v2'
import { tcp } from '@libp2p/tcp'
import { webRTCDirect } from '@libp2p/webrtc'
import { MeshError, messageOf } from '../../mesh/base/index.ts'
import type { NodePreset } from '../../mesh/net/index.ts'
import { HELPER_QUOTAS, relayService } from '../../relay/index.ts'
import type { PeerCertificate } from './certificate.ts'
import { systemClock } from './clock.ts'
import { entranceWebSockets, type PeerEntrance } from './door-transport.ts'
import { guardedWebSockets, type RefuseCaller } from './guarded-websockets.ts'
import { createRate } from './rate.ts'
import { freeUdpPort } from './udp-port.ts'

/** Where the peer listens. 0 picks a free port. */
export interface PeerPorts {
  /** A port of its own for WebSockets, or the entrance of a port that is shared. */
  readonly ws: number | PeerEntrance
  readonly tcp: number
  readonly webrtcDirect: number
}

/** The ports a running node really has, and its WebRTC-direct address with its certhash. */
export interface BoundPeerPorts {
  readonly tcp: number
  readonly webrtcDirect: string
}

/** How often a start with ports of the system's choice is tried. */
const START_TRIES = 5

/** Transports and listeners of a Node peer: TCP and WebSocket both ways, WebRTC-direct for browsers that dial it. */
export function nodeTransports(options: {
  readonly host: string
  readonly ports: PeerPorts
  readonly certificate: PeerCertificate
  /** Judges WebSockets at a port of their own; default: names and pages of this machine and port alone. */
  readonly refuseCaller?: RefuseCaller
}): NodePreset {
  const { host, ports, certificate, refuseCaller } = options
  const { ws } = ports
  // no STUN server of anyone's: the addresses of one's own network are enough
  const rtcConfiguration = { iceServers: [] }
  return {
    transports: [
      tcp() as never,
      (typeof ws === 'number' ? guardedWebSockets(refuseCaller) : entranceWebSockets(ws)) as never,
      webRTCDirect({ certificate, rtcConfiguration, mayBegin: rtcGate() } as never) as never,
      circuitRelayTransport() as never,
    ],
    listen: async () => [
      // an entrance has no port to open: any address makes the node use it
      `/ip4/${host}/tcp/${typeof ws === 'number' ? String(ws) : '0'}/ws`,
      `/ip4/${host}/tcp/${String(ports.tcp)}`,
      // the library takes a free TCP port for a free UDP port, and then fails now and again
      `/ip4/${host}/udp/${String(ports.webrtcDirect === 0 ? await freeUdpPort(host) : ports.webrtcDirect)}/webrtc-direct`,
    ],
    // a port that was free a moment ago may be taken by now
    ...(ports.webrtcDirect === 0 ? { startTries: START_TRIES } : {}),
    // no WebRTC: a Node peer is reached by TCP as well, a browser dials by itself, and the
    // native library takes the process along when a dial is given up before it is up
    canDial: (address) => !/\/(tls|wss|webtransport|webrtc|webrtc-direct)(\/|$)/.test(address),
  }
}

/** Connections over WebRTC-direct that are begun for one host, and for all together. */
const RTC_OF_HOST = { burst: 32, perSecond: 4, keysMax: 1_024 } as const
const RTC_OF_ALL = { burst: 64, perSecond: 16, keysMax: 1 } as const

/**
 * Says whether a connection is made for a STUN packet of a host: that takes some ms and 70 KB
 * before anything is known of who sent it, and the packet bears whatever address its sender
 * likes. Asked by the listener, which is patched for it, before anything is made.
 */
function rtcGate(): (host: string) => boolean {
  const ofHost = createRate(systemClock, RTC_OF_HOST)
  const ofAll = createRate(systemClock, RTC_OF_ALL)
  return (host) => ofHost.take(host) && ofAll.take('all')
}

/**
 * The node of a helper: its listeners and the relay for its mesh. Loopback only,
 * unless the person opened the local network.
 */
export function nodePreset(options: {
  readonly ports: PeerPorts
  readonly lan: boolean
  readonly certificate: PeerCertificate
}): NodePreset {
  const { ports, lan, certificate } = options
  return {
    ...nodeTransports({ host: lan ? '0.0.0.0' : '127.0.0.1', ports, certificate }),
    services: { relay: relayService(HELPER_QUOTAS) },
  }
}

/** Reads the bound ports out of a node's addresses. @throws MeshError `bug` when a listener is missing */
export function boundPorts(addresses: readonly string[]): BoundPeerPorts {
  const port = (pattern: RegExp): number => {
    for (const address of addresses) {
      const match = pattern.exec(address)
      if (match?.[1] !== undefined) return Number(match[1])
    }
    throw new MeshError('bug', 'A listener of the peer did not come up.')
  }
  const direct = addresses.find((address) => address.includes('/webrtc-direct/certhash/'))
  if (direct === undefined) throw new MeshError('bug', 'The WebRTC-direct listener did not come up.')
  return { tcp: port(/\/tcp\/(\d+)\/p2p\//), webrtcDirect: direct }
}

/** A listen failure of libp2p as the sentence a person needs. */
export function listenError(error: unknown): MeshError {
  if (error instanceof MeshError) return error
  const text = collect(error)
  const port = /(?:address already in use|EADDRINUSE).*?:(\d+)\b/s.exec(text)?.[1]
  if (port !== undefined || /EADDRINUSE|address already in use/.test(text)) {
    const named = port === undefined ? 'One of the ports' : `Port ${port}`
    return new MeshError(
      'port-taken',
      `${named} that the peer needs is taken by another program. Stop it, or choose another with --port.`,
      {
        cause: error,
        ...(port === undefined ? {} : { detail: { port: Number(port) } }),
      },
    )
  }
  return new MeshError('bug', `The peer could not start: ${messageOf(error)}`, { cause: error })
}

function collect(error: unknown): string {
  if (error instanceof AggregateError) return [error.message, ...error.errors.map(collect)].join('\n')
  return error instanceof Error && error.cause !== undefined
    ? `${error.message}\n${collect(error.cause)}`
    : messageOf(error)
}
