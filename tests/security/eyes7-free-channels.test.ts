import type { Connection } from '@libp2p/interface'
import { RTCPeerConnection } from 'node-datachannel/polyfill'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { ARRIVALS_OWED_MAX_MS, BUDGET_ARRIVALS_BURST_SECONDS, BUDGET_GUEST_STREAMS } from '../../mesh/base/index.ts'
import { startAdversary, targetOf, type Adversary } from '../kit/adversary/index.ts'
import { startPeer, type TestPeer } from '../kit/peers.ts'
import { until } from '../kit/wait.ts'

// EYES7: what arrives over WebRTC and is charged to nobody. Both fail on c0179b6.

interface Channel {
  readonly readyState: string
  send(data: Uint8Array): void
  addEventListener(type: string, heard: (event: { readonly data?: unknown }) => void): void
}
interface Peer {
  createDataChannel(label: string, options?: object): Channel
}

const stops: (() => Promise<void>)[] = []
const made: { readonly by: unknown; readonly channel: Channel; readonly negotiated: boolean }[] = []
let guest: Adversary
let alice: TestPeer

const original = RTCPeerConnection.prototype.createDataChannel
beforeEach(async () => {
  // the attacker is its own software: it keeps hold of the channel of the handshake
  RTCPeerConnection.prototype.createDataChannel = function (this: RTCPeerConnection, ...args) {
    const channel = original.apply(this, args)
    made.push({ by: this, channel: channel as unknown as Channel, negotiated: args[1]?.negotiated === true })
    return channel
  }
  alice = await startPeer('Alice')
  stops.push(() => alice.stop())
  const target = targetOf(alice)
  const direct = (): readonly string[] => target.addresses().filter((one) => one.includes('/webrtc-direct'))
  guest = await startAdversary('guest', { ...target, addresses: direct, door: () => target.addresses() })
  stops.unshift(() => guest.stop())
})
afterEach(async () => {
  RTCPeerConnection.prototype.createDataChannel = original
  made.length = 0
  for (const stop of stops.splice(0)) await stop()
})

const peerOf = (connection: Connection): Peer =>
  (connection as unknown as { maConn: { peerConnection: Peer } }).maConn.peerConnection

/** As in stream-flood.test.ts, with room to spare. */
const OPENED_MAX = BUDGET_GUEST_STREAMS * (BUDGET_ARRIVALS_BURST_SECONDS + ARRIVALS_OWED_MAX_MS / 1_000 + 3)
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

test('a guest that opens data channels called "init" is cut as for any others', async () => {
  const connection = await guest.dial()
  const peer = peerOf(connection)
  let closedByAlice = 0
  const startedAt = performance.now()
  for (let opened = 0; opened < 600 && connection.status === 'open'; opened++) {
    const channel = peer.createDataChannel('init')
    channel.addEventListener('close', () => (closedByAlice += 1))
    await pause(2)
  }
  await until(() => connection.status !== 'open' || closedByAlice >= 550, { what: 'them to be closed' }).catch(() => undefined)
  console.log({ closedByAlice, ms: performance.now() - startedAt, status: connection.status })
  expect(closedByAlice).toBeLessThan(OPENED_MAX)
})

test('a guest that sends on the channel of the handshake is cut as on any other', async () => {
  const connection = await guest.dial()
  const peer = peerOf(connection)
  const handshake = made.find((one) => one.by === peer && one.negotiated)?.channel
  if (handshake === undefined) throw new Error('no channel')
  let answers = 0
  handshake.addEventListener('message', () => (answers += 1))
  // a protobuf message with the flag FIN: each is answered with FIN_ACK
  const fin = Uint8Array.from([2, 8, 0])
  const startedAt = performance.now()
  for (let sent = 0; sent < 20_000 && connection.status === 'open'; sent++) {
    handshake.send(fin)
    if (sent % 50 === 0) await pause(1)
  }
  await until(() => connection.status !== 'open' || answers >= 19_000, { what: 'answers' }).catch(() => undefined)
  console.log({ answers, ms: performance.now() - startedAt, status: connection.status })
  // 100 frames and 128 eights of KiB a second, for two seconds at once and one owed
  expect(answers).toBeLessThan(228 * 12)
})
