import { circuitRelayTransport } from '@libp2p/circuit-relay-v2'
import { webRTC, webRTCDirect } from '@libp2p/webrtc'
import { webSockets } from '@libp2p/websockets'
import type { NodePreset } from '../../mesh/net/index.ts'

/**
 * The node of a browser: WebSocket and WebRTC-direct to helpers, WebRTC to other
 * browsers. It cannot listen; helpers it is linked with relay the set-up of links
 * to it. No STUN server of anyone's is asked.
 */
export function browserPreset(): NodePreset {
  const rtcConfiguration: RTCConfiguration = { iceServers: [] }
  return {
    transports: [
      webSockets() as never,
      webRTCDirect({ rtcConfiguration }) as never,
      webRTC({ rtcConfiguration }) as never,
      circuitRelayTransport() as never,
    ],
    // without naming a relay: any helper it is linked with becomes one, again after each restart
    listen: () => Promise.resolve(['/p2p-circuit', '/webrtc']),
    canDial: (address) => /\/(ws|wss|webrtc|webrtc-direct)(\/|$)/.test(address),
  }
}
