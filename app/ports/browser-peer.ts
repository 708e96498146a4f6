import { circuitRelayTransport } from '@libp2p/circuit-relay-v2'
import { webRTC, webRTCDirect } from '@libp2p/webrtc'
import { webSockets } from '@libp2p/websockets'
import type { NodePreset } from '../../mesh/net/index.ts'

/** More do not help, and each delays the gathering of addresses. */
const STUN_SERVERS_MAX = 2

/**
 * The node of a browser: WebSocket and WebRTC-direct to helpers, WebRTC to other
 * browsers. It cannot listen; helpers it is linked with relay the set-up of links
 * to it. The only STUN servers asked are those of helpers it is linked with: where a
 * network blocks multicast, browsers cannot resolve each other's hidden addresses.
 */
export function browserPreset(page: Pick<Location, 'protocol' | 'hostname'> = location): NodePreset {
  let iceServers: RTCIceServer[] = []
  const rtcConfiguration = (): RTCConfiguration => ({ iceServers })
  return {
    transports: [
      webSockets() as never,
      webRTCDirect({ rtcConfiguration: { iceServers: [] } }) as never,
      webRTC({ rtcConfiguration }) as never,
      circuitRelayTransport() as never,
    ],
    // without naming a relay: any helper it is linked with becomes one, again after each restart
    listen: () => Promise.resolve(['/p2p-circuit', '/webrtc']),
    canDial: (address) => /\/(ws|wss|webrtc|webrtc-direct)(\/|$)/.test(address),
    rank: (address) => rankFrom(page, address),
    useStun(servers) {
      iceServers = servers.length === 0 ? [] : [{ urls: servers.slice(0, STUN_SERVERS_MAX) }]
    },
  }
}

/** Before every other way, and behind every direct one but before those through a helper. */
const FIRST = -1
const BEHIND = 4

/**
 * A page of this computer has its helper on loopback: nobody listens in, and a
 * WebSocket is up five times as fast as WebRTC. A page that came over HTTPS may trust
 * the certificate of a helper; from any other one a TLS socket would fail more often
 * than not, each time with an error in the console, where a plain one is allowed.
 */
function rankFrom(page: Pick<Location, 'protocol' | 'hostname'>, address: string): number | undefined {
  const isOwnComputer = page.hostname === 'localhost' || page.hostname.startsWith('127.')
  if (isOwnComputer && /^\/ip4\/127\..*\/ws(?:\/|$)/.test(address)) return FIRST
  return page.protocol !== 'https:' && /\/(?:wss|tls\/ws)(?:\/|$)/.test(address) ? BEHIND : undefined
}
