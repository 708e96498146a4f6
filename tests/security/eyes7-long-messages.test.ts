import type { Connection } from '@libp2p/interface'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { BUDGET_GUEST_BURST_SECONDS, BUDGET_GUEST_BYTES } from '../../mesh/base/index.ts'
import { startAdversary, targetOf, type Adversary } from '../kit/adversary/index.ts'
import { startPeer, type TestPeer } from '../kit/peers.ts'

// EYES7: a message of WebRTC is one message, however long it is. Fails on c0179b6.

interface Channel {
  readonly readyState: string
  readonly bufferedAmount: number
  send(data: Uint8Array): void
}

const stops: (() => Promise<void>)[] = []
let alice: TestPeer
let guest: Adversary

beforeEach(async () => {
  alice = await startPeer('Alice')
  stops.push(() => alice.stop())
  const target = targetOf(alice)
  const direct = (): readonly string[] => target.addresses().filter((one) => one.includes('/webrtc-direct'))
  guest = await startAdversary('guest', { ...target, addresses: direct, door: () => target.addresses() })
  stops.unshift(() => guest.stop())
})
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop()
})

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

test('a guest brings in bytes over WebRTC at the rate of its role', async () => {
  const connection: Connection = await guest.dial()
  const { stream } = await guest.open(connection, '/ipfs/ping/1.0.0')
  const { channel } = stream as unknown as { channel: Channel }
  // a length, then a field of the message that nobody knows: as long as a message of libp2p gets
  const size = 16_000
  const varint = (n: number): number[] => (n < 128 ? [n] : [(n % 128) | 128, ...varint(Math.floor(n / 128))])
  const head = [0x7a, ...varint(size)]
  const message = Uint8Array.from([...varint(head.length + size), ...head, ...new Uint8Array(size)])
  let bytes = 0
  const startedAt = performance.now()
  const elapsed = (): number => (performance.now() - startedAt) / 1_000
  // 100 frames and 128 eights of KiB a second, and two seconds of them at once
  const mayHave = (): number => (400 + 220 * elapsed()) * message.byteLength
  while (elapsed() < 8 && connection.status === 'open') {
    while (bytes < mayHave()) {
      channel.send(message)
      bytes += message.byteLength
    }
    await pause(5)
  }
  await pause(500)
  const came = bytes - channel.bufferedAmount
  console.log({ mib: came / 2 ** 20, seconds: elapsed(), status: connection.status })
  expect(connection.status).toBe('open')
  expect(came).toBeLessThan(BUDGET_GUEST_BYTES * (BUDGET_GUEST_BURST_SECONDS + elapsed()))
})
