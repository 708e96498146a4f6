import type { Connection, StreamMuxer } from '@libp2p/interface'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { systemClock } from '../../helper/ports/clock.ts'
import { BUDGET_GUEST_STREAMS, BUDGET_ARRIVALS_BURST_SECONDS, ARRIVALS_OWED_MAX_MS } from '../../mesh/base/index.ts'
import { lengthPrefix } from '../../mesh/net/frame-reader.ts'
import { CONTROL } from '../../mesh/net/protocols/control/messages.ts'
import { INFER } from '../../mesh/net/protocols/infer/messages.ts'
import { startAdversary, targetOf, type Adversary } from '../kit/adversary/index.ts'
import { createTestEngine } from '../kit/engine.ts'
import { join, startPeer, type TestPeer } from '../kit/peers.ts'
import { until } from '../kit/wait.ts'

// Over WebRTC the platform sets each stream up and hands on each message before anybody is asked: nothing holds
// the sender back.

/** What a guest may open from one moment to the next: saved up, owed, and what comes in meanwhile. */
const OPENED_MAX = BUDGET_GUEST_STREAMS * (BUDGET_ARRIVALS_BURST_SECONDS + ARRIVALS_OWED_MAX_MS / 1_000 + 3)

const stops: (() => Promise<void>)[] = []
let alice: TestPeer
let bob: TestPeer
let guest: Adversary

beforeEach(async () => {
  alice = await startPeer('Alice', { engines: createTestEngine({ clock: systemClock }) })
  bob = await startPeer('Bob')
  stops.push(...[alice, bob].map((peer) => () => peer.stop()))
  await join(bob, alice)
  await bob.untilOnline(alice)
  const target = targetOf(alice)
  const direct = (): readonly string[] => target.addresses().filter((one) => one.includes('/webrtc-direct'))
  guest = await startAdversary('guest', { ...target, addresses: direct, door: () => target.addresses() })
  stops.unshift(() => guest.stop())
})
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop()
})

async function answer(): Promise<string> {
  const question = { messages: [{ role: 'user' as const, content: 'there?' }], sampling: { maxTokens: 4 } }
  for await (const event of bob.mesh.ask(question, { signal: AbortSignal.timeout(10_000) })) {
    if (event.type === 'end') return 'answered'
  }
  return 'nothing'
}

const WAYS: Readonly<Record<string, (connection: Connection) => Promise<void>>> = {
  async 'before they name a protocol'(connection) {
    const stream = await (connection as Connection & { readonly muxer: StreamMuxer }).muxer.createStream()
    stream.send(new Uint8Array([19]))
    await new Promise((resolve) => setTimeout(resolve, 2))
    stream.abort(new Error('again'))
  },
  async 'once they named one'(connection) {
    const stream = await guest.open(connection, CONTROL.id, AbortSignal.timeout(2_000))
    stream.stream.abort(new Error('again'))
  },
}

describe('a guest that opens streams and gives them up as fast as it can', () => {
  test.each(Object.entries(WAYS))('%s is cut and kept away for a moment, and others are answered', async (_, open) => {
    const connection = await guest.dial()
    let opened = 0
    const flood = async (): Promise<void> => {
      for (; opened < 10 * OPENED_MAX; opened++) await open(connection)
    }
    await flood().catch(() => undefined)
    await until(() => connection.status !== 'open', { what: 'its connection to be cut' })
    expect(opened).toBeLessThan(OPENED_MAX)
    const tried = await guest.dial().catch(() => undefined)
    await until(() => tried?.status !== 'open', { what: 'its next connection to be refused' })
    expect(await answer()).toBe('answered')
    // and then it may open what its role gives it
    const comesBack = async (): Promise<boolean> => (await guest.control(await guest.dial())).isOpen
    await until(() => comesBack().catch(() => false), { what: 'it to be let in again' })
  })
})

test('a guest that sends one frame in thousands of pieces is cut, and others are answered', async () => {
  const connection = await guest.dial()
  const stream = await guest.open(connection, INFER.id)
  await stream.bytes(lengthPrefix(INFER.maxFrameBytes - 1))
  let sent = 0
  const send = async (): Promise<void> => {
    for (; sent < 8_000; sent++) await stream.bytes(new Uint8Array(32), AbortSignal.timeout(5_000))
  }
  await send().catch(() => undefined)
  await until(() => connection.status !== 'open', { what: 'its connection to be cut' })
  expect(await answer()).toBe('answered')
})
