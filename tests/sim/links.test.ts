import { afterEach, beforeEach, expect, test } from 'vitest'
import { MeshError, SILENT_MS, HEARTBEAT_MS } from '../../mesh/base/index.ts'
import { createVirtualClock, type VirtualClock } from '../kit/clock.ts'
import { createVirtualNetwork, type VirtualNetwork } from '../kit/network.ts'
import { startPeer, type TestPeer } from '../kit/peers.ts'
import { createSeededRandom } from '../kit/random.ts'

// Real libp2p over a network whose delay, loss and cuts the test decides, in virtual time.

const STEP_MS = 50
let clock: VirtualClock
let network: VirtualNetwork
const running: TestPeer[] = []

beforeEach(() => {
  clock = createVirtualClock()
  network = createVirtualNetwork({ clock, random: createSeededRandom(7) })
})
afterEach(async () => {
  network.heal()
  const stopped = Promise.all(running.splice(0).map((peer) => peer.stop()))
  await passing(stopped)
})

/** Lets virtual time pass until the work is done. */
async function passing<Result>(work: Promise<Result>): Promise<Result> {
  let done = false
  const watched = work.finally(() => {
    done = true
  })
  watched.catch(() => undefined)
  const isDone = (): boolean => done
  for (let step = 0; step < 20_000; step++) {
    if (isDone()) break
    await clock.advanceAsync(STEP_MS)
  }
  return watched
}

/** Lets virtual time pass until the condition holds; returns how much of it did. */
async function until(condition: () => boolean, mostMs = 120_000): Promise<number> {
  const startedAt = clock.monotonic()
  while (!condition()) {
    if (clock.monotonic() - startedAt > mostMs)
      throw new MeshError('timeout', `It did not come to pass in ${String(mostMs)} virtual ms.`)
    await clock.advanceAsync(STEP_MS)
  }
  return clock.monotonic() - startedAt
}

async function start(host: string, store?: TestPeer['store']): Promise<TestPeer> {
  const peer = await passing(
    startPeer(host, { clock, preset: network.preset(host), ...(store === undefined ? {} : { store }) }),
  )
  running.push(peer)
  return peer
}

async function pair(): Promise<[TestPeer, TestPeer]> {
  const alice = await start('alice')
  const bob = await start('bob')
  const { url } = await alice.mesh.invite({ confirmation: 'in-advance' })
  await passing(bob.mesh.join(url))
  await until(() => alice.sees(bob)?.state === 'online' && bob.sees(alice)?.state === 'online')
  return [alice, bob]
}

test('a device behind a cut is noticed on both sides in three missed beats, and found again after it', async () => {
  const [alice, bob] = await pair()
  await clock.advanceAsync(5_000)
  network.partition(['alice'], ['bob'])
  const noticedMs = await until(
    () => alice.sees(bob)?.state === 'unreachable' && bob.sees(alice)?.state === 'unreachable',
  )
  expect(noticedMs).toBeLessThanOrEqual(SILENT_MS + HEARTBEAT_MS + STEP_MS)
  await clock.advanceAsync(60_000)
  network.heal()
  const foundMs = await until(() => alice.sees(bob)?.state === 'online' && bob.sees(alice)?.state === 'online')
  expect(foundMs).toBeLessThanOrEqual(5_000)
})

test('a far and lossy network is a slow one, not a dead one', async () => {
  network.quality({ latencyMs: 150, jitterMs: 80, lossFraction: 0.1 })
  const [alice, bob] = await pair()
  await clock.advanceAsync(120_000)
  expect(alice.sees(bob)?.state).toBe('online')
  expect(alice.sees(bob)?.rttMs).toBeGreaterThanOrEqual(300)
})

test('a device removed while it was cut off is refused when it returns, and knows why', async () => {
  const [alice, bob] = await pair()
  network.partition(['alice'], ['bob'])
  await until(() => alice.sees(bob)?.state === 'unreachable')
  await passing(alice.mesh.remove(bob.mesh.self))
  expect(bob.mesh.standing()).toBe('member')
  network.heal()
  await until(() => bob.mesh.standing() === 'removed')
  expect(alice.sees(bob)).toBeUndefined()
})

test('a connected device that is removed is cut within two seconds', async () => {
  const [alice, bob] = await pair()
  await passing(alice.mesh.remove(bob.mesh.self))
  expect(await until(() => bob.sees(alice)?.state !== 'online')).toBeLessThanOrEqual(2_000)
  // and it stays out, however often it tries
  await clock.advanceAsync(60_000)
  expect(alice.sees(bob)).toBeUndefined()
  expect(bob.mesh.standing()).toBe('removed')
})

test('a device that said goodbye is asleep, and its restart is noticed within five seconds', async () => {
  const [alice, bob] = await pair()
  running.splice(running.indexOf(bob), 1)
  await passing(bob.stop())
  await until(() => alice.sees(bob)?.state === 'asleep')
  await clock.advanceAsync(600_000)
  const again = await start('bob', bob.store)
  expect(await until(() => alice.sees(again)?.state === 'online')).toBeLessThanOrEqual(5_000)
})

test('the sleep of this device itself cuts no link that still answers', async () => {
  const [alice, bob] = await pair()
  const before = alice.sees(bob)?.state
  alice.mesh.wake()
  await clock.advanceAsync(10_000)
  expect([before, alice.sees(bob)?.state]).toEqual(['online', 'online'])
})
