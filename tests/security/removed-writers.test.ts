import { afterEach, describe, expect, test } from 'vitest'
import {
  SYNC_ENDS_PAUSE_MAX_MS,
  SYNC_LATE_BYTES,
  SYNC_LATE_ENVELOPES,
  SYNC_LATE_MS,
  SYNC_SEEN_EVERY_MS,
  type DeviceId,
} from '../../mesh/base/index.ts'
import type { Document, EpochKey } from '../../mesh/sync/index.ts'
import { createProgress } from '../../mesh/sync/serving.ts'
import { readEnvelope } from '../../mesh/sync/envelope.ts'
import { backdatedChain, type BackdatedStep } from '../kit/removed-writer.ts'
import { createSyncWorld, ROOM, stateOf, type SyncPeer, type SyncWorld } from '../kit/sync-world.ts'

// A device is removed and writes on, dated as it likes, by the hand of one that is still there and keeps
// documents without reading them. What it wrote before, and only such a device has, is not lost for that.

type Four = [alice: SyncPeer, bob: SyncPeer, keeper: SyncPeer, mallory: SyncPeer]

const worlds: SyncWorld[] = []
afterEach(async () => {
  for (const world of worlds.splice(0)) await world.stop()
})

async function scene(name: string): Promise<{ world: SyncWorld; peers: Four; old: EpochKey }> {
  const world = await createSyncWorld(name, 4)
  worlds.push(world)
  const peers = world.peers as Four
  world.scopes.grant(idOf(peers[2]), 'mesh', ['store'])
  await (await peers[0].open(ROOM)).write([{ bytes: new Uint8Array([1]) }])
  await world.calm()
  return { world, peers, old: await peers[3].ports.keyring.current(ROOM.scope, {}) }
}

const idOf = ({ ports }: SyncPeer): DeviceId => ports.signer.id

/** The device is removed, and a new key made; those who heard of it tell what they have. */
async function remove(world: SyncWorld, peer: SyncPeer): Promise<void> {
  world.scopes.revoke(idOf(peer), 'mesh')
  await world.scopes.rotate('mesh')
  await pass(world)
}

/** Long enough for ends to be told and asked for. */
async function pass(world: SyncWorld, ms = SYNC_ENDS_PAUSE_MAX_MS * 2): Promise<void> {
  for (let step = 0; step < 3; step++) {
    await world.calm()
    await world.clock.advanceAsync(ms / 3)
  }
  await world.calm()
}

/** Mallory writes with what she kept, and hands it to whoever keeps documents. */
async function writeOn(
  world: SyncWorld,
  { peers: [, , keeper, mallory], old }: Awaited<ReturnType<typeof scene>>,
  steps: readonly BackdatedStep[],
): Promise<number> {
  const { chain, envelopes } = await backdatedChain(steps, {
    ports: mallory.ports,
    document: ROOM,
    epoch: old,
    at: 1_000,
  })
  await plant(world, keeper, envelopes)
  return chain
}

/** The software of an accomplice takes what it likes: it does not know of the removal. */
async function plant(world: SyncWorld, keeper: SyncPeer, envelopes: readonly Uint8Array[]): Promise<void> {
  const replica = await keeper.documents.adopt(ROOM, {})
  const { author } = readEnvelope(envelopes[0] as Uint8Array).head
  const { mayWrite } = keeper.ports.writers
  const writers = keeper.ports.writers as { mayWrite: typeof mayWrite }
  writers.mayWrite = (device, scope) => device === author || mayWrite(device, scope)
  const taken = replica.receive(envelopes, author, {})
  await taken.finally(() => {
    writers.mayWrite = mayWrite
  })
  keeper.documents.release(replica)
  await world.calm()
}

/** The envelopes of a chain, as a device has them. */
async function chainAt(peer: SyncPeer, chain: number): Promise<Uint8Array[]> {
  const replica = await peer.documents.adopt(ROOM, {})
  const progress = createProgress([...replica.vector()].filter(([one]) => one !== chain))
  return [...(await replica.next(progress, {})).envelopes]
}

const wordsOf = (document: Document, peer: SyncPeer): number =>
  [...document.operations().values()].filter(({ author }) => author === idOf(peer)).length

const says = (count: number, sizeBytes = 1): BackdatedStep[] =>
  Array.from({ length: count }, (_, index) => ({ bytes: new Uint8Array(sizeBytes).fill(index % 256) }))

describe('what was written before a removal', () => {
  test('is not lost when only a device that reads nothing has it', async () => {
    const { world, peers } = await scene('kept by a helper')
    const [alice, bob, keeper, mallory] = peers
    world.network.partition([idOf(alice), idOf(bob)], [idOf(keeper), idOf(mallory)])
    const there = await mallory.open(ROOM)
    const ids: string[] = []
    for (let count = 0; count < 11; count++) ids.push(...(await there.write([{ bytes: new Uint8Array([count]) }])))
    await there.erase([ids[0] ?? ''])
    await world.calm()
    await mallory.stop()
    await remove(world, mallory)
    const documents = [await alice.open(ROOM), await bob.open(ROOM)]
    expect(documents.map((document) => wordsOf(document, mallory))).toEqual([0, 0])
    world.network.partition()
    await pass(world)
    expect(documents.map((document) => wordsOf(document, mallory))).toEqual([10, 10])
    expect(stateOf(documents[0] as Document)).toEqual(stateOf(documents[1] as Document))
  })

  test('is not lost to a device that removes another, is then off for two months, and comes back', async () => {
    const { world, peers } = await scene('off for two months')
    const [alice, bob, keeper, mallory] = peers
    world.network.partition([idOf(alice), idOf(bob)], [idOf(keeper), idOf(mallory)])
    await (await mallory.open(ROOM)).write([{ bytes: new Uint8Array([5]) }])
    await world.calm()
    await mallory.stop()
    await remove(world, mallory)
    await alice.stop()
    await bob.stop()
    await world.clock.advanceAsync(SYNC_LATE_MS * 2)
    for (const index of [0, 1]) await world.restart(index)
    world.network.partition()
    await pass(world)
    for (const index of [0, 1]) expect(wordsOf(await (world.peers[index] as SyncPeer).open(ROOM), mallory)).toBe(1)
  })

  test('is not lost to a machine that slept for two months, and its days go on from there', async () => {
    const given = await scene('slept for two months')
    const { world, peers } = given
    const [alice, bob, keeper, mallory] = peers
    world.network.partition([idOf(alice), idOf(bob)], [idOf(keeper), idOf(mallory)])
    await (await mallory.open(ROOM)).write([{ bytes: new Uint8Array([5]) }])
    await world.calm()
    await mallory.stop()
    await remove(world, mallory)
    world.clock.jumpWallClock(SYNC_LATE_MS * 2)
    world.network.partition()
    await pass(world)
    for (const peer of [alice, bob]) expect(wordsOf(await peer.open(ROOM), mallory)).toBe(1)
    await world.clock.advanceAsync(SYNC_LATE_MS + SYNC_SEEN_EVERY_MS)
    await writeOn(world, given, says(1))
    await pass(world)
    for (const peer of [alice, bob]) expect(wordsOf(await peer.open(ROOM), mallory)).toBe(1)
  })

  test('comes whole to a device that joins long after, however much it is, and in one go', async () => {
    const given = await scene('joins long after')
    const { world, peers } = given
    const [alice, bob, keeper, mallory] = peers
    world.network.partition([idOf(alice), idOf(keeper), idOf(mallory)])
    const there = await mallory.open(ROOM)
    for (let count = 0; count < 9; count++)
      await there.write([{ bytes: new Uint8Array(SYNC_LATE_BYTES / 8).fill(count) }])
    await world.calm()
    await mallory.stop()
    await remove(world, mallory)
    await world.clock.advanceAsync(SYNC_LATE_MS)
    // it never saw the room, and what it is given is as much as there is
    let carried = 0
    world.network.tap((_from, to, bytes) => {
      if (to === idOf(bob)) carried += bytes.byteLength
    })
    world.network.partition([idOf(alice), idOf(bob)])
    await world.calm()
    expect(wordsOf(await bob.open(ROOM), mallory)).toBe(9)
    expect(carried).toBeLessThan(SYNC_LATE_BYTES * 1.6)
  })
})

test('what only a device that reads nothing has comes whole to the one that is left', async () => {
  const given = await scene('the one that is left')
  const { world, peers } = given
  const [alice, bob, keeper, mallory] = peers
  world.network.partition([idOf(alice), idOf(keeper), idOf(mallory)])
  const there = await mallory.open(ROOM)
  for (let count = 0; count < 9; count++)
    await there.write([{ bytes: new Uint8Array(SYNC_LATE_BYTES / 8).fill(count) }])
  await world.calm()
  for (const peer of [alice, mallory]) {
    await peer.stop()
    world.scopes.revoke(idOf(peer), 'mesh', { isAlone: true })
  }
  await world.scopes.rotate('mesh')
  world.network.partition()
  await pass(world)
  const here = await bob.open(ROOM)
  expect([wordsOf(here, alice), wordsOf(here, mallory)]).toEqual([1, 9])
})

describe('a removed device that writes on', () => {
  test('is heard by nobody when its time is over, whatever it dates it and whoever brings it', async () => {
    const given = await scene('after thirty days')
    const { world, peers } = given
    const [alice, bob, , mallory] = peers
    const documents = [await alice.open(ROOM), await bob.open(ROOM)]
    await (await mallory.open(ROOM)).write([{ bytes: new Uint8Array([7]) }])
    await world.calm()
    await mallory.stop()
    await remove(world, mallory)
    await world.clock.advanceAsync(SYNC_LATE_MS)
    await writeOn(world, given, says(3))
    await pass(world)
    await world.restart(1)
    await pass(world)
    expect(documents.map((document) => wordsOf(document, mallory))).toEqual([1, 1])
    expect(wordsOf(await (world.peers[1] as SyncPeer).open(ROOM), mallory)).toBe(1)
    expect(world.network.refused).toEqual([])
  })

  test.each([
    ['many small ones', says(SYNC_LATE_ENVELOPES + 50), SYNC_LATE_ENVELOPES],
    ['few large ones', says(12, SYNC_LATE_BYTES / 8), 8],
  ])('gets little in until then, the same everywhere, also over a restart: %s', async (_what, steps, most) => {
    const given = await scene('until then')
    const { world, peers } = given
    const [alice, bob, , mallory] = peers
    await mallory.stop()
    await remove(world, mallory)
    await writeOn(world, given, steps.slice(0, steps.length / 2))
    await pass(world)
    for (const index of [0, 1]) await world.restart(index)
    await writeOn(world, given, steps.slice(steps.length / 2))
    await pass(world)
    await writeOn(world, given, steps.slice(0, 10))
    await pass(world)
    const [here, there] = [await (world.peers[0] as SyncPeer).open(ROOM), await (world.peers[1] as SyncPeer).open(ROOM)]
    expect(wordsOf(here, mallory)).toBeGreaterThanOrEqual(most / 2)
    expect(wordsOf(here, mallory)).toBeLessThanOrEqual(most)
    expect(stateOf(there)).toEqual(stateOf(here))
    expect([alice, bob].flatMap(({ documents }) => documents.quarantined())).toEqual([])
  })

  test('takes nothing from what it wrote before, which another kept', async () => {
    const world = await createSyncWorld('two who keep', 4)
    worlds.push(world)
    const [alice, friend, keeper, mallory] = world.peers as [SyncPeer, SyncPeer, SyncPeer, SyncPeer]
    for (const peer of [friend, keeper]) world.scopes.grant(idOf(peer), 'mesh', ['store'])
    const here = await alice.open(ROOM)
    world.network.partition([idOf(keeper), idOf(mallory)])
    await (await mallory.open(ROOM)).write(says(10) as { bytes: Uint8Array }[])
    await world.calm()
    const old = await mallory.ports.keyring.current(ROOM.scope, {})
    await mallory.stop()
    await remove(world, mallory)
    world.network.partition([idOf(alice), idOf(friend)])
    for (let round = 0; round < 2; round++) {
      await writeOn(world, { world, peers: [alice, alice, friend, mallory], old }, says(8, SYNC_LATE_BYTES / 8))
      await pass(world)
    }
    expect(wordsOf(here, mallory)).toBe(8)
    world.network.partition()
    await pass(world)
    const before = [...here.operations().values()].filter(({ bytes }) => bytes.byteLength === 1)
    expect(before.filter(({ author }) => author === idOf(mallory))).toHaveLength(10)
    // who keeps hands on what it took from a friend, within its own share
    expect(wordsOf(here, mallory)).toBeLessThanOrEqual(10 + 2 * 8)
  })

  test('is not asked for again and again', async () => {
    const given = await scene('again and again')
    const { world, peers } = given
    const [alice, , keeper, mallory] = peers
    await alice.open(ROOM)
    await mallory.stop()
    await remove(world, mallory)
    await world.clock.advanceAsync(SYNC_LATE_MS)
    await writeOn(world, given, says(4, 10_000))
    await pass(world)
    let carried = 0
    world.network.tap((from, _to, bytes) => {
      if (from === idOf(keeper)) carried += bytes.byteLength
    })
    for (let round = 0; round < 10; round++) {
      world.scopes.changes.emit()
      await world.calm()
      world.network.cut(idOf(alice), idOf(keeper))
      await pass(world)
    }
    expect(carried).toBeLessThan(10_000)
  })

  test('is vouched for by nobody who was removed too', async () => {
    const given = await scene('two of them')
    const { world, peers, old } = given
    const [alice, bob, keeper, mallory] = peers
    await mallory.stop()
    // Bob is with her, and says so while he still may
    const hers = await backdatedChain(says(3), { ports: mallory.ports, document: ROOM, epoch: old, at: 1_000 })
    await remove(world, mallory)
    const vouches = await backdatedChain([{ ends: [{ chain: hers.chain, sequence: 1_000 }] }], {
      ports: bob.ports,
      document: ROOM,
      epoch: await bob.ports.keyring.current(ROOM.scope, {}),
      at: 1_000,
    })
    await plant(world, keeper, vouches.envelopes)
    await bob.stop()
    await remove(world, bob)
    const here = await alice.open(ROOM)
    await world.clock.advanceAsync(SYNC_LATE_MS)
    await plant(world, keeper, hers.envelopes)
    await pass(world)
    expect((await alice.documents.adopt(ROOM, {})).heldOf(vouches.chain)).toBe(1)
    expect(wordsOf(here, mallory)).toBe(0)
  })

  test('erases nothing when its time is over', async () => {
    const given = await scene('erases')
    const { world, peers } = given
    const [alice, , , mallory] = peers
    const here = await alice.open(ROOM)
    const [id = ''] = await (await mallory.open(ROOM)).write([{ bytes: new Uint8Array([9]) }])
    await world.calm()
    const [chain] = [...here.vector().keys()].filter((one) => id.startsWith(one.toString(36)))
    await mallory.stop()
    await remove(world, mallory)
    await world.clock.advanceAsync(SYNC_LATE_MS)
    await writeOn(world, given, [{ erases: [{ chain: chain ?? 0, clock: 0, count: 1 }] }])
    await pass(world)
    expect(wordsOf(here, mallory)).toBe(1)
  })
})

describe('what counts of a removed device is the same on all', () => {
  test('also on one that took nothing any more when another still did', async () => {
    const given = await scene('one after the other')
    const { world, peers } = given
    const [alice, bob, keeper, mallory] = peers
    const [here, there] = [await alice.open(ROOM), await bob.open(ROOM)]
    await mallory.stop()
    // Bob has had all he takes
    world.network.partition([idOf(bob), idOf(keeper)])
    await remove(world, mallory)
    await writeOn(world, given, says(8, SYNC_LATE_BYTES / 8))
    await pass(world)
    const five = await writeOn(world, given, says(5))
    await pass(world)
    expect(wordsOf(there, mallory)).toBe(8)
    // Alice takes the five first, and says so
    const replica = await alice.documents.adopt(ROOM, {})
    for (const bytes of await chainAt(keeper, five)) await replica.receive([bytes], idOf(keeper), {})
    await replica.tellEnds({})
    world.network.partition([idOf(alice), idOf(bob)], [idOf(bob), idOf(keeper)])
    await pass(world)
    expect(wordsOf(here, mallory)).toBe(13)
    expect(stateOf(there)).toEqual(stateOf(here))
  })

  test('after compacting and starting again, and few say so', async () => {
    const given = await scene('compacted')
    const { world, peers } = given
    const [alice, bob, keeper, mallory] = peers
    const [here, there] = [await alice.open(ROOM), await bob.open(ROOM)]
    const ids = await (await mallory.open(ROOM)).write(says(4) as { bytes: Uint8Array }[])
    await world.calm()
    await (await mallory.open(ROOM)).erase(ids.slice(0, 2))
    await world.calm()
    await mallory.stop()
    await remove(world, mallory)
    const tellers = [...here.vector().keys()].length
    for (const peer of [alice, bob, keeper]) await (await peer.documents.adopt(ROOM, {})).compact({})
    await world.restart(0)
    await pass(world)
    const again = await (world.peers[0] as SyncPeer).open(ROOM)
    expect(wordsOf(again, mallory)).toBe(2)
    expect(stateOf(again)).toEqual(stateOf(there))
    // one chain of Alice's, one of Mallory's, and two that tell the end of it, for two people
    expect([tellers, again.vector().size]).toEqual([4, 4])
  })

  test('and an earlier version, which knows no such words, is given everything else', async () => {
    const given = await scene('earlier version')
    const { world, peers } = given
    const [alice, , , mallory] = peers
    await (await mallory.open(ROOM)).write([{ bytes: new Uint8Array([3]) }])
    await world.calm()
    await mallory.stop()
    await remove(world, mallory)
    const replica = await alice.documents.adopt(ROOM, {})
    const all = await replica.next(createProgress([]), {})
    const progress = createProgress([], { takesEnds: false })
    const earlier = await replica.next(progress, {})
    const heads = (given: typeof all): unknown[] => given.envelopes.map((bytes) => readEnvelope(bytes).head.ends)
    expect(heads(all).map((ends) => ends !== undefined)).toEqual([true, true, false, false])
    expect(heads(earlier)).toEqual([undefined, undefined])
    expect([replica.isComplete(progress), earlier.more]).toEqual([true, false])
  })
})
