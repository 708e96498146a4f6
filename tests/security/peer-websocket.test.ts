import { request } from 'node:http'
import { request as secureRequest } from 'node:https'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openDoor, refusePeerCaller, type Door, type PeerCallers } from '../../helper/door/index.ts'
import { systemClock } from '../../helper/ports/clock.ts'
import { refuseWebsites } from '../../helper/ports/guarded-websockets.ts'
import { peerCallers } from '../../helper/reach/index.ts'
import { silentLogger } from '../../mesh/base/index.ts'
import { createMemoryStore } from '../kit/memory-store.ts'
import { entrancePreset, loopbackPreset, startPeer, type TestPeer } from '../kit/peers.ts'
import { makeTestPair } from '../kit/tls-pair.ts'

/** A knock at the WebSocket of the peer, `PORT` standing for its port. */
interface Knock {
  readonly what: string
  readonly host: string | readonly string[]
  readonly origin?: string | readonly string[]
  readonly opens: boolean
}

const fromPage = (origin: string | readonly string[], opens = false): Knock => ({
  what: `a page at ${JSON.stringify(origin)}`,
  host: '127.0.0.1:PORT',
  origin,
  opens,
})
const toName = (host: string | readonly string[], opens = false): Knock => ({
  what: `a program that calls us ${JSON.stringify(host)}`,
  host,
  opens,
})

const OWN_HOSTS = ['127.0.0.1:PORT', 'localhost:PORT', '[::1]:PORT', 'LOCALHOST:PORT']
const OWN_ORIGINS = OWN_HOSTS.slice(0, 3).flatMap((host) => [`http://${host}`, `https://${host}`])
const FOREIGN_HOSTS = [
  ...['evil.example:PORT', 'evil.example', '127.0.0.1', 'localhost', '[::1]', '127.0.0.1:80', 'localhost:1'],
  ...['127.0.0.1.evil.example:PORT', 'localhost.evil.example:PORT', '127.0.0.1.nip.io:PORT', 'sub.localhost:PORT'],
  ...['a.7f000001.rbndr.us:PORT', 'localtest.me:PORT', 'plexus.local:PORT', '192.168.7.7:PORT', '10.0.0.9:PORT'],
  ...['127.0.0.2:PORT', '127.1:PORT', '2130706433:PORT', '0x7f.1:PORT', '0.0.0.0:PORT', '[::]:PORT', '::1:PORT'],
  ...['127.0.0.1.:PORT', 'localhost.:PORT', '127.0.0.1:PORT@evil.example', 'x@127.0.0.1:PORT', '*', '127.0.0.1:PORT,x'],
]
const FOREIGN_ORIGINS = [
  ...['null', '', 'http://evil.example', 'https://evil.example', 'http://127.0.0.1', 'http://localhost'],
  ...['http://127.0.0.1:1', 'https://127.0.0.1:443', 'http://localhost:8080', 'http://127.0.0.1:PORT/'],
  ...['http://127.0.0.1:PORT.evil.example', 'http://127.0.0.1:PORT@evil.example', 'http://evil.example:PORT'],
  ...['http://127.0.0.2:PORT', 'http://sub.localhost:PORT', 'http://localhost.evil.example:PORT'],
  ...['http://plexus.local:PORT', 'https://192.168.7.7:PORT', 'http://192.168.7.7:PORT', 'ws://127.0.0.1:PORT'],
  ...['file://', 'file://127.0.0.1:PORT', 'chrome-extension://abcdefghijklmnop', 'moz-extension://127.0.0.1:PORT'],
  ...['HTTP://127.0.0.1:PORT', 'http:/127.0.0.1:PORT', '127.0.0.1:PORT', 'http://127.0.0.1:PORT http://evil.example'],
  ...['*', 'about:blank', 'data:', 'http://[::1]', 'http://[::ffff:127.0.0.1]:PORT', 'http://2130706433:PORT'],
]
const KNOCKS: readonly Knock[] = [
  ...OWN_HOSTS.map((host) => toName(host, true)),
  ...OWN_ORIGINS.map((origin) => fromPage(origin, true)),
  ...FOREIGN_HOSTS.map((host) => toName(host)),
  ...FOREIGN_ORIGINS.map((origin) => fromPage(origin)),
  toName(['127.0.0.1:PORT', '127.0.0.1:PORT']),
  toName(['127.0.0.1:PORT', 'evil.example']),
  toName([]),
  fromPage(['http://127.0.0.1:PORT', 'http://evil.example']),
  fromPage(['http://127.0.0.1:PORT', 'http://127.0.0.1:PORT']),
  // rebound: the page’s own name in both
  { what: 'a rebound page', host: 'evil.example:PORT', origin: 'http://evil.example:PORT', opens: false },
]

const put = (text: string, port: number): string => text.replaceAll('PORT', String(port))

/** Asks for a WebSocket; gives the status, 101 when it opens. */
function knock(port: number, { host, origin }: Knock, secure = false): Promise<number | undefined> {
  const listed = (name: string, values: string | readonly string[] | undefined): string[] =>
    [values ?? []].flat().flatMap((value) => [name, put(value, port)])
  const headers = [
    ...listed('Host', host),
    ...listed('Origin', origin),
    ...['Connection', 'Upgrade', 'Upgrade', 'websocket', 'Sec-WebSocket-Version', '13'],
    ...['Sec-WebSocket-Key', 'dGhlIHNhbXBsZSBub25jZQ=='],
  ]
  return new Promise((resolve, reject) => {
    const send = secure ? secureRequest : request
    send({ host: '127.0.0.1', port, path: '/', agent: false, setHost: false, headers, rejectUnauthorized: false })
      .on('upgrade', (response, socket) => {
        socket.destroy()
        resolve(response.statusCode)
      })
      .on('response', (response) => {
        response.resume()
        resolve(response.statusCode)
      })
      .on('error', reject)
      .end()
  })
}

const cleanups: (() => Promise<void>)[] = []
let door: Door
let lone: TestPeer
beforeAll(async () => {
  door = await openDoor({ port: 0, host: '127.0.0.1', clock: systemClock, log: silentLogger })
  door.serve({
    request: (_incoming, outgoing) => outgoing.end(),
    upgrade: (_incoming, socket) => socket.destroy(),
    badRequest: (_error, socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'),
  })
  door.setCertificate(await makeTestPair())
  const store = createMemoryStore()
  const shared = await startPeer('Alice', { store, preset: await entrancePreset(store, door) })
  const other = createMemoryStore()
  lone = await startPeer('Bob', { store: other, preset: await loopbackPreset(other) })
  cleanups.push(
    () => door.close({ signal: AbortSignal.abort() }),
    () => shared.stop(),
    () => lone.stop(),
  )
})
afterAll(async () => {
  for (const cleanup of cleanups.reverse()) await cleanup()
})

const statusFor = ({ host, opens }: Knock): readonly number[] =>
  // Node itself answers 400 where Host is missing or twice
  opens ? [101] : Array.isArray(host) && host.length !== 1 ? [400, 403] : [403]

describe('the WebSocket of a peer is opened by programs that name us exactly, and by pages of ours', () => {
  test('is asked at least 70 different things', () => {
    expect(KNOCKS.length).toBeGreaterThanOrEqual(70)
  })

  test.each(KNOCKS)('at the shared port, $what: $opens', async (one) => {
    expect(statusFor(one)).toContain(await knock(door.port, one))
  })

  test.each(KNOCKS)('at the shared port over TLS, $what: $opens', async (one) => {
    expect(statusFor(one)).toContain(await knock(door.port, one, true))
  })

  test.each(KNOCKS)('at a port of its own, $what: $opens', async (one) => {
    const port = Number(/\/tcp\/(\d+)\/ws/.exec(lone.mesh.addresses().join(' '))?.[1])
    expect(statusFor(one)).toContain(await knock(port, one))
  })
})

const OPEN_NETWORK: PeerCallers = peerCallers(
  {
    port: 7539,
    lan: true,
    addresses: ['192.168.7.7'],
    trust: { kind: 'own-certificate', names: ['home.example.org', '*.tail.example'], expiresAt: 0 } as never,
    publicPage: 'https://copy.example/app/',
  },
  ['http://127.0.0.1:5173'],
)

describe('while the local network is open', () => {
  test.each([
    ['192.168.7.7:7539', 'https://192.168.7.7:7539', false, true],
    ['192.168.7.7:7539', 'http://192.168.7.7:7539', false, true],
    ['192.168.7.7:7539', 'http://plexus.local:7539', false, true],
    ['home.example.org:7539', 'https://home.example.org:7539', false, true],
    ['desk.tail.example:7539', 'https://desk.tail.example:7539', false, true],
    ['192.168.7.7:7539', undefined, false, true],
    // the page of a helper on another machine; the page of this one, over its other name
    ['192.168.7.7:7539', 'http://127.0.0.1:7539', false, true],
    ['127.0.0.1:7539', 'https://192.168.7.7:7539', true, true],
    // what the person configured, to the letter
    ['127.0.0.1:7539', 'https://copy.example', true, true],
    ['127.0.0.1:7539', 'http://127.0.0.1:5173', true, true],
    ['127.0.0.1:7539', 'http://copy.example', true, false],
    ['127.0.0.1:7539', 'https://copy.example:444', true, false],
    ['127.0.0.1:7539', 'https://a.copy.example', true, false],
    ['127.0.0.1:7539', 'http://127.0.0.1:5174', true, false],
    ['192.168.7.7:7539', 'https://192.168.7.8:7539', false, false],
    ['192.168.7.7:7539', 'https://192.168.7.7', false, false],
    ['192.168.7.7:7539', 'https://evil.example', false, false],
    ['192.168.7.7:7539', 'null', false, false],
    ['192.168.7.8:7539', undefined, false, false],
    ['evil.example:7539', undefined, false, false],
    ['a.b.tail.example:7539', undefined, false, false],
    // the network is never this machine, whatever it calls itself
    ['127.0.0.1:7539', undefined, false, false],
    ['127.0.0.1:7539', 'http://127.0.0.1:7539', false, false],
  ])('%s from a page at %s (from here: %s): %s', (host, origin, isLocal, opens) => {
    const head = { host: [host], origin: origin === undefined ? [] : [origin], isLocal }
    expect(refusePeerCaller(head, 7539, OPEN_NETWORK) === undefined).toBe(opens)
  })
})

test.each([
  [undefined, true],
  ['http://127.0.0.1:7539', true],
  ['http://localhost:1', true],
  ['https://plexus.example', true],
  ['https://evil.example', false],
  ['http://127.0.0.1.evil.example', false],
  ['http://127.0.0.1:7539/', false],
  ['null', false],
])('a public relay takes a page at %s: %s', (origin, opens) => {
  const incoming = { rawHeaders: origin === undefined ? [] : ['Origin', origin], socket: {} }
  expect(refuseWebsites(['https://plexus.example'])(incoming as never) === undefined).toBe(opens)
})
