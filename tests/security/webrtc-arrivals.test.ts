import type { Connection } from '@libp2p/interface'
import { RTCPeerConnection } from 'node-datachannel/polyfill'
import { afterEach, beforeEach, expect, test } from 'vitest'
import {
  ARRIVALS_OWED_MAX_MS,
  BUDGET_ARRIVALS_BURST_SECONDS,
  BUDGET_GUEST_BYTES,
  BUDGET_GUEST_FRAMES,
  BUDGET_GUEST_STREAMS,
} from '../../mesh/base/index.ts'
import { INFER } from '../../mesh/net/protocols/infer/messages.ts'
import { startAdversary, targetOf, type Adversary } from '../kit/adversary/index.ts'
import { startPeer, type TestPeer } from '../kit/peers.ts'
import { until } from '../kit/wait.ts'

// What a guest makes arrive over WebRTC beneath all protocols is of its budget: nothing holds its sender back, so who
// goes on is cut.

interface Channel {
  send(data: Uint8Array): void
  addEventListener(type: 'message' | 'close', heard: () => void): void
}
interface Peer {
  createDataChannel(label: string): Channel
}

const original = RTCPeerConnection.prototype.createDataChannel
const handshakes = new Map<unknown, Channel>()
const stops: (() => Promise<void>)[] = []
let alice: TestPeer
let guest: Adversary
let connection: Connection
let peer: Peer

beforeEach(async () => {
  // the attacker is its own software: it keeps hold of the channel of the handshake
  RTCPeerConnection.prototype.createDataChannel = function (this: RTCPeerConnection, ...args) {
    const channel = original.apply(this, args)
    if (args[1]?.negotiated === true) handshakes.set(this, channel)
    return channel
  }
  alice = await startPeer('Alice')
  stops.push(() => alice.stop())
  const target = targetOf(alice)
  const addresses = (): readonly string[] => target.addresses().filter((one) => one.includes('/webrtc-direct'))
  guest = await startAdversary('guest', { ...target, addresses, door: () => target.addresses() })
  stops.unshift(() => guest.stop())
  connection = await guest.dial()
  peer = (connection as unknown as { maConn: { peerConnection: Peer } }).maConn.peerConnection
})
afterEach(async () => {
  RTCPeerConnection.prototype.createDataChannel = original
  handshakes.clear()
  for (const stop of stops.splice(0)) await stop()
})

const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 2))
const isCut = (): boolean => connection.status !== 'open'
const untilCut = (): Promise<unknown> => until(isCut, { what: 'the connection to be cut' })

/** What of a rate may come before the connection is cut. */
const atMost = (perSecond: number, seconds: number): number =>
  perSecond * (BUDGET_ARRIVALS_BURST_SECONDS + ARRIVALS_OWED_MAX_MS / 1_000 + seconds + 1)

/** Sends until it is cut; how long that took, in seconds. */
async function flood(step: () => unknown, count: number): Promise<number> {
  const startedAt = performance.now()
  for (let index = 0; index < count && !isCut(); index++) {
    try {
      await step()
    } catch {
      // refused, or cut in between
    }
    await turn()
  }
  await untilCut()
  return (performance.now() - startedAt) / 1_000
}

test('channels that only open a connection', async () => {
  let closed = 0
  const seconds = await flood(() => {
    peer.createDataChannel('init').addEventListener('close', () => (closed += 1))
  }, 600)
  expect(closed).toBeLessThan(atMost(BUDGET_GUEST_STREAMS, seconds))
})

test('messages on the channel of the handshake', async () => {
  const handshake = handshakes.get(peer)
  let answers = 0
  handshake?.addEventListener('message', () => (answers += 1))
  // FIN, which is answered
  await flood(() => handshake?.send(Uint8Array.from([2, 8, 0])), 1_000)
  expect(answers).toBeLessThan(32)
})

test('channels that never say a word', async () => {
  let opened = 0
  const seconds = await flood(() => {
    peer.createDataChannel('')
    opened += 1
  }, 600)
  expect(opened).toBeLessThan(600)
  expect(seconds).toBeLessThan(10)
})

test('long messages', async () => {
  const { stream } = await guest.open(connection, '/ipfs/ping/1.0.0')
  const { channel } = stream as unknown as { readonly channel: Channel }
  const size = 16_000
  const varint = (n: number): number[] => (n < 128 ? [n] : [(n % 128) | 128, ...varint(Math.floor(n / 128))])
  // a field of the message that nobody knows
  const head = [0x7a, ...varint(size)]
  const message = Uint8Array.from([...varint(head.length + size), ...head, ...new Uint8Array(size)])
  let bytes = 0
  const seconds = await flood(() => {
    channel.send(message)
    bytes += message.byteLength
  }, 4_000)
  // one of 8 KiB for each frame, and what the bytes allow
  expect(bytes).toBeLessThan(atMost(BUDGET_GUEST_BYTES + BUDGET_GUEST_FRAMES * 8 * 1024, seconds))
})

test.each([
  ["of the library's protocols", '/ipfs/id/1.0.0'],
  ['of a protocol that has all it may', INFER.id],
])('streams %s', async (_, protocol) => {
  const kept: unknown[] = []
  let opened = 0
  const seconds = await flood(async () => {
    opened += 1
    const { stream } = await guest.open(connection, protocol, AbortSignal.timeout(2_000))
    if (protocol === INFER.id) kept.push(stream)
    else stream.abort(new TypeError('again'))
  }, 1_000)
  expect(opened).toBeLessThan(atMost(BUDGET_GUEST_STREAMS, seconds))
})
