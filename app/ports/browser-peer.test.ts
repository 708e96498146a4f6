import { expect, test } from 'vitest'
import { inDialOrder } from '../../mesh/net/dial.ts'
import { browserPreset } from './browser-peer.ts'

const HASH = 'uEiD1SMCt_jYsi0IcKe56nTXzyQ07Xl3hvxrmLaL2B7em8Q'
const WSS = '/ip4/192.168.7.7/tcp/7539/tls/ws'
const WS = '/ip4/192.168.7.7/tcp/7539/ws'
const LOOPBACK = '/ip4/127.0.0.1/tcp/7539/ws'
const DIRECT = `/ip4/192.168.7.7/udp/7542/webrtc-direct/certhash/${HASH}`

test.each([
  ['a page over HTTPS tries TLS first', 'https:', '192.168.7.7', [WSS, DIRECT, WS, LOOPBACK]],
  ['a page of this computer tries its own helper first', 'http:', '127.0.0.1', [LOOPBACK, DIRECT, WS, WSS]],
  ['a page over plain HTTP tries TLS behind what it may do', 'http:', '192.168.7.7', [DIRECT, WS, WSS, LOOPBACK]],
])('%s', (_what, protocol, hostname, expected) => {
  const { rank } = browserPreset({ protocol, hostname })
  expect(inDialOrder([WSS, WS, DIRECT, LOOPBACK], (way) => rank?.(way))).toEqual(expected)
})
