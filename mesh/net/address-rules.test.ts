import { expect, test } from 'vitest'
import type { DeviceId } from '../base/index.ts'
import { isPlainAddress, isSameHost, placeOf, placeOfAddress } from './address-rules.ts'

const ID = '12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN' as DeviceId
const OTHER = '12D3KooWQYhTNQdmr3ArTeUHRYzFg94BKyTkoWBDWez9kSCVe2Xo'
const HASH = 'uEiD1SMCt_jYsi0IcKe56nTXzyQ07Xl3hvxrmLaL2B7em8Q'

test('what a helper says of itself is plain: its ports by number, over TCP, WebSocket, TLS and WebRTC', () => {
  for (const host of ['/ip4/192.168.7.7', '/ip4/172.17.0.1', '/ip4/127.0.0.1', '/ip6/fd00::7', '/ip6/2a02:1:2:3::7'])
    for (const way of ['/tcp/7541', '/tcp/7539/ws', '/tcp/7539/wss', '/tcp/7539/tls/ws', `/udp/7542/webrtc-direct/certhash/${HASH}`]) // prettier-ignore
      for (const end of ['', `/p2p/${ID}`]) expect([host + way + end, isPlainAddress(host + way + end, ID)]).toEqual([host + way + end, true]) // prettier-ignore
})

test.each([
  ['a name', '/dns4/evil.example/tcp/7539/ws'],
  ['a path', '/ip4/10.0.0.1/tcp/7539/ws/http-path/evil'],
  ['a port of a service', '/ip4/10.0.0.1/tcp/25'],
  ['no port', '/ip4/10.0.0.1/tcp/0'],
  ['a port beyond', '/ip4/10.0.0.1/tcp/70000'],
  ['another device', `/ip4/10.0.0.1/tcp/7541/p2p/${OTHER}`],
  ['a relay', `/ip4/10.0.0.1/tcp/7541/p2p/${OTHER}/p2p-circuit/p2p/${ID}`],
  ['a relay without a name', `/ip4/10.0.0.1/tcp/7541/p2p-circuit/p2p/${ID}`],
  ['a name for TLS', '/ip4/10.0.0.1/tcp/7539/tls/sni/evil.example/ws'],
  ['everybody', '/ip4/255.255.255.255/tcp/7541'],
  ['a group', '/ip4/239.1.2.3/udp/7542/webrtc-direct'],
  ['nobody', '/ip4/0.0.0.0/tcp/7541'],
  ['an IPv4 address in disguise', '/ip6/::ffff:127.0.0.1/tcp/7541'],
  ['the same, written otherwise', '/ip6/::ffff:7f00:1/tcp/7541'],
  ['one inside 6to4', '/ip6/2002:7f00:1::1/tcp/7541'],
  ['no number', '/ip4/10.0.0.999/tcp/7541'],
  ['a file', '/unix/tmp/socket'],
  ['nothing', ''],
])('an address with %s is not plain', (_what, address) => {
  expect(isPlainAddress(address, ID)).toBe(false)
})

test('where a host is follows from its number, however it is written', () => {
  const places = ['127.9.9.9', '::1', '0:0:0:0:0:0:0:1', '10.1.1.1', '100.64.0.1', '172.31.0.1', '172.32.0.1', 'fe80::1', 'fd12::1', '8.8.8.8', '2a02:1::1', 'ff02::1', '::'] // prettier-ignore
  expect(places.map((host) => placeOf(host) ?? '-').join(' ')).toBe(
    'loopback loopback loopback private private private public private private public public - -',
  )
  expect(placeOfAddress('/memory/bob')).toBe('private')
})

test('a machine that changes its IPv6 address within its network is the same host', () => {
  expect(isSameHost('2a02:1:2:3::7', '2a02:1:2:3:aaaa:bbbb:cccc:dddd')).toBe(true)
  expect(isSameHost('2a02:1:2:3::7', '2a02:1:2:4::7')).toBe(false)
  expect(isSameHost('8.8.8.8', '8.8.8.9')).toBe(false)
})
