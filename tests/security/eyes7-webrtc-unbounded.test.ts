import type { Connection } from '@libp2p/interface'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import {
  ARRIVALS_OWED_MAX_MS,
  BUDGET_ARRIVALS_BURST_SECONDS,
  BUDGET_GUEST_STREAMS,
  BUDGET_STRANGER_STREAMS,
  STREAMS_UNNAMED_MAX,
} from '../../mesh/base/index.ts'
import { INFER } from '../../mesh/net/protocols/infer/messages.ts'
import { startAdversary, targetOf, type Adversary, type Target } from '../kit/adversary/index.ts'
import { startPeer, type TestPeer } from '../kit/peers.ts'
import { until } from '../kit/wait.ts'

// EYES7: what is bounded over Yamux and is not over WebRTC. Fails on c0179b6.

interface Channel {
  readonly readyState: string
  readonly bufferedAmount: number
  send(data: Uint8Array): void
}
interface Peer {
  createDataChannel(label: string, options?: object): Channel
}

const stops: (() => Promise<void>)[] = []
let alice: TestPeer
let direct: Target

beforeEach(async () => {
  alice = await startPeer('Alice')
  stops.push(() => alice.stop())
  const target = targetOf(alice)
  direct = {
    ...target,
    addresses: () => target.addresses().filter((one) => one.includes('/webrtc-direct')),
    door: () => target.addresses(),
  }
})
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop()
})

async function attacker(role: 'guest' | 'stranger', target = direct): Promise<Adversary> {
  const one = await startAdversary(role, target)
  stops.unshift(() => one.stop())
  return one
}
const peerOf = (connection: Connection): Peer =>
  (connection as unknown as { maConn: { peerConnection: Peer } }).maConn.peerConnection
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

const GUEST_MAX = BUDGET_GUEST_STREAMS * (BUDGET_ARRIVALS_BURST_SECONDS + ARRIVALS_OWED_MAX_MS / 1_000 + 3)

describe('data channels that never say a word', () => {
  test.each([
    ['guest', BUDGET_GUEST_STREAMS],
    ['stranger', BUDGET_STRANGER_STREAMS],
  ] as const)('of a %s are bounded, and paid for as they come', async (role, rate) => {
    const mallory = await attacker(role)
    const connection = await mallory.dial()
    const peer = peerOf(connection)
    const channels: Channel[] = []
    const startedAt = performance.now()
    for (let opened = 0; opened < 400 && connection.status === 'open'; opened++) {
      channels.push(peer.createDataChannel(''))
      await pause(4)
    }
    await pause(1_000)
    const ms = performance.now() - startedAt
    const open = channels.filter(({ readyState }) => readyState === 'open').length
    console.log({ role, open, ms, status: connection.status })
    expect(open).toBeLessThanOrEqual(Math.max(STREAMS_UNNAMED_MAX, rate * (3 + ms / 1_000)))
  })
})

test.each(['webrtc', 'tcp'] as const)('introductions that a guest asks for over %s are streams of its budget', async (way) => {
  const guest = await attacker('guest', way === 'tcp' ? targetOf(alice) : direct)
  const connection = await guest.dial()
  let answered = 0
  const endAt = performance.now() + 5_000
  const ask = async (): Promise<void> => {
    while (performance.now() < endAt && connection.status === 'open') {
      try {
        const stream = await connection.newStream('/ipfs/id/1.0.0', { signal: AbortSignal.timeout(5_000) })
        for await (const chunk of stream) {
          if (chunk.byteLength > 0) break
        }
        answered += 1
        stream.abort(new Error('again'))
        if (way === 'webrtc') await pause(20)
      } catch {
        await pause(5)
      }
    }
  }
  await Promise.all(Array.from({ length: way === 'tcp' ? 4 : 1 }, ask))
  console.log({ way, answered, status: connection.status })
  expect(answered).toBeLessThan(GUEST_MAX + 5 * BUDGET_GUEST_STREAMS)
})

test('streams of a protocol that has all it may are of the budget, too', async () => {
  const guest = await attacker('guest')
  const connection = await guest.dial()
  const kept = []
  for (let count = 0; count < INFER.maxStreams; count++) {
    kept.push(await guest.open(connection, INFER.id))
    await pause(100)
  }
  await pause(2_500)
  let refused = 0
  const startedAt = performance.now()
  while (performance.now() - startedAt < 5_000 && connection.status === 'open') {
    const stream = await guest.open(connection, INFER.id, AbortSignal.timeout(2_000)).catch(() => undefined)
    if (stream === undefined) continue
    await Promise.race([until(() => !stream.isOpen, { what: 'it to be refused' }).catch(() => undefined), pause(200)])
    refused += 1
    await pause(20)
  }
  console.log({ refused, status: connection.status })
  expect(refused).toBeLessThan(GUEST_MAX)
})
