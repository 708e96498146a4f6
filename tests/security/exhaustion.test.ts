import type { Connection } from '@libp2p/interface'
import { Uint8ArrayList } from 'uint8arraylist'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { systemClock } from '../../helper/ports/clock.ts'
import {
  BUDGET_GUEST_BURST_SECONDS,
  BUDGET_GUEST_FRAMES,
  PENDING_JOIN_MS,
  STRANGER_CONNECTION_MS,
  STRANGER_DEVICE_CONNECTIONS_MAX,
  STREAMS_UNNAMED_MAX,
} from '../../mesh/base/index.ts'
import { CONTROL } from '../../mesh/net/protocols/control/messages.ts'
import { JOIN } from '../../mesh/net/protocols/join/messages.ts'
import { lengthPrefix } from '../../mesh/net/frame-reader.ts'
import { startAdversary, targetOf, type Adversary, type AdversaryRole } from '../kit/adversary/index.ts'
import { encode } from '../../mesh/wire/index.ts'
import { createVirtualClock } from '../kit/clock.ts'
import { createTestEngine } from '../kit/engine.ts'
import { heldBytes, unsentBytes } from '../kit/memory.ts'
import { join, startPeer, type TestPeer } from '../kit/peers.ts'
import { until } from '../kit/wait.ts'

// What one device with its own software can use up: memory, places, the processor.

const MIB = 1024 * 1024
const stops: (() => Promise<void>)[] = []
let alice: TestPeer
let bob: TestPeer

async function attacker(role: AdversaryRole, at: TestPeer = alice): Promise<Adversary> {
  const adversary = await startAdversary(role, targetOf(at))
  stops.push(() => adversary.stop())
  return adversary
}

async function start(...args: Parameters<typeof startPeer>): Promise<TestPeer> {
  const peer = await startPeer(...args)
  stops.push(() => peer.stop())
  return peer
}

async function answer(): Promise<string> {
  const question = { messages: [{ role: 'user' as const, content: 'there?' }], sampling: { maxTokens: 4 } }
  for await (const event of bob.mesh.ask(question, { signal: AbortSignal.timeout(10_000) })) {
    if (event.type === 'end') return 'answered'
  }
  return 'nothing'
}

const sleepUntil = (atMs: number): Promise<undefined> =>
  new Promise((resolve) => {
    setTimeout(() => { resolve(undefined) }, Math.max(0, atMs - performance.now())) // prettier-ignore
  })

const openOf = (adversary: Adversary): readonly Connection[] =>
  adversary.node.getConnections().filter((connection) => connection.status === 'open')

beforeEach(async () => {
  alice = await start('Alice', { engines: createTestEngine({ clock: systemClock }) })
  bob = await start('Bob')
  await join(bob, alice)
  await bob.untilOnline(alice)
})
afterEach(async () => {
  await Promise.all(stops.splice(0).map((stop) => stop()))
})

test('a guest that sends beats and reads no echo fills no memory, and others are answered', async () => {
  const guest = await attacker('guest')
  const stream = await guest.control(await guest.dial())
  const before = heldBytes()
  stream.deafen()
  const beat = encode({ type: 'beat', n: 1 })
  const many = Buffer.concat(Array.from({ length: 2_000 }, () => [lengthPrefix(beat.byteLength), beat]).flat())
  const over = AbortSignal.timeout(4_000)
  const beats = (async () => {
    while (!over.aborted) {
      await stream.bytes(many, over)
      await new Promise((resolve) => setImmediate(resolve))
    }
  })().catch(() => undefined)
  expect(await answer()).toBe('answered')
  await beats
  expect(heldBytes() - before).toBeLessThan(12 * MIB)
  stream.listen()
  let echoes = 0
  for (const endAtMs = performance.now() + 3_000; performance.now() < endAtMs && stream.isOpen;) {
    const frame = await Promise.race([stream.read().catch(() => undefined), sleepUntil(endAtMs)])
    if (frame?.['type'] === 'echo') echoes += 1
  }
  // at its rate, however many were sent
  expect(echoes).toBeLessThan(BUDGET_GUEST_FRAMES * (BUDGET_GUEST_BURST_SECONDS + 15))
  expect(await answer()).toBe('answered')
})

test('one stranger holds no more than its few connections, and a member that returns is linked', async () => {
  const stranger = await attacker('stranger')
  for (let count = 0; count < 40; count++) await stranger.dial().catch(() => undefined)
  await until(() => openOf(stranger).length <= STRANGER_DEVICE_CONNECTIONS_MAX, { what: 'the surplus to be cut' })
  await bob.mesh.stop()
  const again = await start('Bob', { store: bob.store })
  await again.untilOnline(alice)
})

test('frames that strangers begin and never end take a bounded amount of memory', async () => {
  const strangers = await Promise.all(Array.from({ length: 12 }, () => attacker('stranger')))
  const before = heldBytes()
  const half = new Uint8Array(300 * 1024)
  const over = AbortSignal.timeout(6_000)
  await Promise.all(
    strangers.map(async (stranger) => {
      for (let count = 0; count < 6; count++) {
        try {
          const connection = await stranger.dial(over)
          for (const protocol of [CONTROL, CONTROL, CONTROL, CONTROL, JOIN, JOIN]) {
            const stream = await stranger.open(connection, protocol.id, over)
            await stream.bytes(lengthPrefix(half.byteLength + 1), over)
            await stream.bytes(half, over)
          }
        } catch {
          // cut, or made to wait
        }
      }
    }),
  )
  // the attackers are in this process too: what they could not get rid of is theirs
  expect(heldBytes() - before - unsentBytes()).toBeLessThan(64 * MIB)
  expect(await answer()).toBe('answered')
})

test('a frame of the muxer that declares two gigabytes costs the connection', async () => {
  const guest = await attacker('guest')
  const connection = await guest.dial()
  const stream = await guest.open(connection, CONTROL.id)
  const { muxer } = connection as unknown as {
    muxer: { sendFrame(header: object, data: Uint8ArrayList): void }
  }
  const header = { type: 0, flag: 0, streamID: Number(stream.stream.id), length: 2 ** 31 }
  muxer.sendFrame(header, new Uint8ArrayList(new Uint8Array(1024)))
  await until(() => connection.status !== 'open', { what: 'the connection to be cut' })
})

test('streams that name no protocol are few, whatever is sent on them', async () => {
  const guest = await attacker('guest')
  const connection = await guest.dial()
  await guest.control(connection)
  const { muxer } = connection as unknown as {
    muxer: { createStream(): Promise<{ status: string; send(data: Uint8Array): boolean }> }
  }
  const streams = await Promise.all(Array.from({ length: 200 }, () => muxer.createStream()))
  for (const stream of streams) if (stream.status === 'open') stream.send(new Uint8Array([19]))
  // and in the end its connection is cut, for a flood
  await until(() => streams.filter(({ status }) => status === 'open').length <= STREAMS_UNNAMED_MAX, {
    what: 'the surplus to be reset',
  })
})

test('strangers that knock keep nobody out who shows words, wherever they are typed', async () => {
  const strangers = await Promise.all(Array.from({ length: 12 }, () => attacker('stranger')))
  const phone = await start('Amber Heron')
  const shown = Promise.withResolvers<string>()
  const door = { device: alice.mesh.self, addresses: alice.mesh.addresses() }
  const joined = phone.mesh.knock(door, { onWords: (words) => { shown.resolve(words.join(' ')) } }) // prettier-ignore
  joined.catch(() => undefined)
  const words = await shown.promise
  await until(() => alice.mesh.knocks().length === 1, { what: 'the knock' })
  for (const stranger of strangers) {
    const stream = await stranger.open(await stranger.dial(), JOIN.id)
    await stranger.knockOn(stream)
  }
  const late = await start('Late Heron')
  const lateShown = Promise.withResolvers<string>()
  const lateJoined = late.mesh.knock(door, { onWords: (given) => { lateShown.resolve(given.join(' ')) } }) // prettier-ignore
  lateJoined.catch(() => undefined)
  // Bob was told of a few knocks only; neither of the two need be among them
  await until(async () => (await bob.mesh.findKnock(words)).device === phone.mesh.self, {
    what: 'the words to be found',
  })
  await bob.mesh.admitKnock(words)
  await joined
  const lateWords = await lateShown.promise
  await until(async () => (await alice.mesh.findKnock(lateWords)).device === late.mesh.self, { what: 'the late words' })
  await alice.mesh.admitKnock(lateWords)
  await lateJoined
  expect(alice.mesh.devices().map(({ name }) => name)).toEqual(expect.arrayContaining(['Amber Heron', 'Late Heron']))
})

test('a stranger whose knock is over has the time of a stranger, not that of a knock', async () => {
  const clock = createVirtualClock()
  const carol = await startPeer('Carol', { clock })
  stops.push(async () => {
    const stopped = carol.stop()
    await clock.advanceAsync(1_000)
    await stopped
  })
  const stranger = await attacker('stranger', carol)
  const connection = await stranger.dial()
  const stream = await stranger.open(connection, JOIN.id)
  await stranger.knockOn(stream)
  await until(() => carol.mesh.knocks().length === 1, { what: 'the knock' })
  await clock.advanceAsync(STRANGER_CONNECTION_MS + 1)
  expect(connection.status).toBe('open')
  stream.stream.abort(new Error('gone'))
  await until(async () => {
    await clock.advanceAsync(500)
    return carol.mesh.knocks().length === 0
  }, { what: 'the knock to be over' }) // prettier-ignore
  expect(PENDING_JOIN_MS).toBeGreaterThan(4 * STRANGER_CONNECTION_MS)
  await clock.advanceAsync(2 * STRANGER_CONNECTION_MS)
  await until(() => connection.status !== 'open', { what: 'the connection to be cut' })
})
