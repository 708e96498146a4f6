import type { Connection } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'
import { expect, test } from 'vitest'
import { DIAL_STAGGER_MS, RELAY_HEAD_START_MS } from '../../mesh/base/index.ts'
import { dialFirst, inDialOrder } from '../../mesh/net/dial.ts'
import type { PeerNode } from '../../mesh/net/index.ts'
import { createVirtualClock } from '../kit/clock.ts'

const ID = '12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN'
const HELPER = '12D3KooWQYhTNQdmr3ArTeUHRYzFg94BKyTkoWBDWez9kSCVe2Xo'
const HASH = 'uEiD1SMCt_jYsi0IcKe56nTXzyQ07Xl3hvxrmLaL2B7em8Q'
const WSS = `/ip4/192.168.7.7/tcp/7539/tls/ws/p2p/${ID}`
const WS = `/ip4/192.168.7.7/tcp/7539/ws/p2p/${ID}`
const LOOPBACK = `/ip4/127.0.0.1/tcp/7539/ws/p2p/${ID}`
const DIRECT = `/ip4/192.168.7.7/udp/7542/webrtc-direct/certhash/${HASH}/p2p/${ID}`
const TCP = `/ip4/192.168.7.7/tcp/7541/p2p/${ID}`
const WEBRTC = `/p2p/${HELPER}/p2p-circuit/webrtc/p2p/${ID}`
const RELAYED = `/p2p/${HELPER}/p2p-circuit/p2p/${ID}`

interface Dial {
  readonly way: string
  readonly atMs: number
  readonly signal: AbortSignal
  readonly settle: { resolve(connection: Connection): void; reject(error: unknown): void }
}

function scene(open: readonly Partial<Connection>[] = []) {
  const clock = createVirtualClock()
  const dials: Dial[] = []
  const node = {
    getConnections: () => open,
    services: {
      dialler: {
        dial: (way: Multiaddr, { signal }: { signal: AbortSignal }) => {
          const { promise, ...settle } = Promise.withResolvers<Connection>()
          signal.addEventListener('abort', () => {
            settle.reject(signal.reason)
          })
          dials.push({ way: way.toString(), atMs: clock.monotonic(), signal, settle })
          return promise
        },
      },
    },
  } as unknown as PeerNode
  const connection = (name: string) => {
    const made = { id: name, aborted: false, abort: () => (made.aborted = true) }
    return made as unknown as Connection & { aborted: boolean }
  }
  const dial = (ways: readonly string[], signal = new AbortController().signal) => {
    const result = dialFirst(node, ways, { clock }, { signal })
    result.catch(() => undefined)
    return result
  }
  return { clock, dials, connection, dial }
}

const startMs = createVirtualClock().monotonic()

test('ways are tried in the order of how fast and safe they are, each kind in the order it was given', () => {
  const other = WSS.replace('192.168.7.7', '10.0.0.1')
  expect(inDialOrder([RELAYED, WEBRTC, LOOPBACK, WS, other, DIRECT, WSS, TCP])).toEqual([
    ...[TCP, other, WSS, DIRECT, WS, WEBRTC, LOOPBACK, RELAYED],
  ])
})

test('a way that hangs holds up none of the others: the next begins beside it', async () => {
  const { clock, dials, connection, dial } = scene()
  const result = dial([WSS, DIRECT, WS])
  await clock.advanceAsync(DIAL_STAGGER_MS * 2)
  expect(dials.map(({ way, atMs }) => [way, atMs - startMs])).toEqual([
    [WSS, 0],
    [DIRECT, DIAL_STAGGER_MS],
    [WS, DIAL_STAGGER_MS * 2],
  ])
  const made = connection('direct')
  dials[1]?.settle.resolve(made)
  expect(await result).toBe(made)
  expect([dials[0]?.signal.aborted, dials[2]?.signal.aborted]).toEqual([true, true])
})

test('a way that fails gives its head start away', async () => {
  const { clock, dials, connection, dial } = scene()
  const result = dial([WSS, DIRECT])
  dials[0]?.settle.reject(new Event('error'))
  await clock.advanceAsync(0)
  expect(dials.map(({ way }) => way)).toEqual([WSS, DIRECT])
  const made = connection('direct')
  dials[1]?.settle.resolve(made)
  expect(await result).toBe(made)
})

test('an earlier way that connects while a later one has its head start wins at once', async () => {
  const { clock, dials, connection, dial } = scene()
  const result = dial([WSS, DIRECT, WS])
  await clock.advanceAsync(DIAL_STAGGER_MS)
  const made = connection('wss')
  dials[0]?.settle.resolve(made)
  expect(await result).toBe(made)
  expect(dials).toHaveLength(2)
})

test('a relayed way waits until the direct ones had their time, or all failed', async () => {
  const slow = scene()
  void slow.dial([RELAYED, WEBRTC])
  await slow.clock.advanceAsync(RELAY_HEAD_START_MS - 100)
  expect(slow.dials.map(({ way }) => way)).toEqual([WEBRTC])
  await slow.clock.advanceAsync(100)
  expect(slow.dials.map(({ way }) => way)).toEqual([WEBRTC, RELAYED])
  const failing = scene()
  void failing.dial([WS, WEBRTC, RELAYED])
  failing.dials[0]?.settle.reject(new Event('error'))
  await failing.clock.advanceAsync(0)
  failing.dials[1]?.settle.reject(new Event('error'))
  await failing.clock.advanceAsync(0)
  expect(failing.dials.map(({ way }) => way)).toEqual([WS, WEBRTC, RELAYED])
})

test('a way to loopback, most often this very device, waits like a relayed one, and with it', async () => {
  const { clock, dials, dial } = scene()
  void dial([LOOPBACK, RELAYED, WSS])
  await clock.advanceAsync(RELAY_HEAD_START_MS - 100)
  expect(dials.map(({ way }) => way)).toEqual([WSS])
  await clock.advanceAsync(100 + DIAL_STAGGER_MS)
  expect(dials.map(({ way }) => way)).toEqual([WSS, LOOPBACK, RELAYED])
  const alone = scene()
  void alone.dial([LOOPBACK])
  expect(alone.dials).toHaveLength(1)
})

test('of two ways that connect at once one is kept', async () => {
  const { clock, dials, connection, dial } = scene()
  const result = dial([WSS, DIRECT])
  await clock.advanceAsync(DIAL_STAGGER_MS)
  const [first, second] = [connection('wss'), connection('direct')]
  dials[0]?.settle.resolve(first)
  dials[1]?.settle.resolve(second)
  expect(await result).toBe(first)
  await clock.advanceAsync(0)
  expect([first.aborted, second.aborted]).toEqual([false, true])
})

test('a device that connected by itself is not dialled, unless its connection is a relayed one', async () => {
  const there = { remotePeer: { toString: () => ID }, status: 'open' } as unknown as Connection
  const direct = scene([there])
  expect(await direct.dial([WSS])).toBe(there)
  expect(direct.dials).toEqual([])
  const relayed = scene([{ ...there, limits: {} }])
  void relayed.dial([WSS])
  expect(relayed.dials).toHaveLength(1)
})

test('when every way fails the last reason is told, and a cancel is a cancel', async () => {
  const { dials, dial, clock } = scene()
  const result = dial([WSS])
  dials[0]?.settle.reject(new Event('error'))
  await expect(result).rejects.toMatchObject({ code: 'offline', message: expect.stringContaining('event error') })
  const controller = new AbortController()
  const cancelled = dial([WSS, DIRECT], controller.signal)
  await clock.advanceAsync(DIAL_STAGGER_MS)
  controller.abort(new DOMException('x', 'AbortError'))
  await expect(cancelled).rejects.toMatchObject({ code: 'aborted' })
})
