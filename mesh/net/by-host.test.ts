import { expect, test } from 'vitest'
import { byHost } from './by-host.ts'

const HASH = 'uEiD1SMCt_jYsi0IcKe56nTXzyQ07Xl3hvxrmLaL2B7em8Q'
const waysOf = (ip: string): string[] => [
  `/ip4/${ip}/tcp/7541`,
  `/ip4/${ip}/tcp/7539/tls/ws`,
  `/ip4/${ip}/udp/7542/webrtc-direct/certhash/${HASH}`,
  `/ip4/${ip}/tcp/7539/ws`,
]

test('all ways to the likeliest host come first, loopback last', () => {
  // as a node lists them: one kind after the other, containers before the network that leads out
  const ips = ['127.0.0.1', '172.17.0.1', '192.168.7.7']
  const tcp = ips.map((ip) => waysOf(ip)[0] ?? '')
  const ws = ['192.168.7.7', '172.17.0.1', '127.0.0.1'].map((ip) => waysOf(ip)[3] ?? '')
  const tls = ['192.168.7.7', '172.17.0.1'].map((ip) => waysOf(ip)[1] ?? '')
  const direct = ips.map((ip) => waysOf(ip)[2] ?? '')
  const ordered = byHost([...tcp, ...tls, ...ws, ...direct])
  expect(ordered.slice(0, 4)).toEqual(waysOf('192.168.7.7'))
  expect(ordered.slice(4, 8)).toEqual(waysOf('172.17.0.1'))
  expect(ordered.slice(8)).toHaveLength(3)
  expect(ordered.slice(8).every((address) => address.startsWith('/ip4/127.0.0.1/'))).toBe(true)
})

test('a name of one’s own is a host, and what is no address breaks nothing', () => {
  expect(byHost(['/dns4/home.example.org/tcp/7539/tls/ws', '', '/p2p-circuit'])).toHaveLength(3)
  expect(byHost([])).toEqual([])
})
