import { expect, test } from 'vitest'
import {
  SYNC_BUDGET_BURST_BYTES,
  SYNC_BUDGET_BYTES_PER_S,
  SYNC_BUDGET_CHAIN_BYTES,
  SYNC_BUDGET_END_BYTES,
  SYNC_BUDGET_OPERATION_BYTES,
  SYNC_ENDS_MAX,
  SYNC_OPERATIONS_MAX,
  SYNC_SNAPSHOT_BYTES,
  type DeviceId,
} from '../../mesh/base/index.ts'
import { encode } from '../../mesh/wire/index.ts'
import { documentKey, type Document } from '../../mesh/sync/index.ts'
import { backdatedChain, type BackdatedStep } from '../kit/removed-writer.ts'
import { forgeChain } from '../kit/sync-forge.ts'
import { createSyncWorld, ROOM, type SyncPeer, type SyncWorld } from '../kit/sync-world.ts'

const fill = (count: number, size: number): { bytes: Uint8Array }[] =>
  Array.from({ length: count }, (_, index) => ({ bytes: new Uint8Array(size).fill(index) }))
const MIB = 1024 * 1024
const BATCH_BYTES = 64 * 1024

/** Alice and her phone, Bob and Mallory: who is whose is known as in a mesh. */
async function scene(
  seed: string,
): Promise<{ world: SyncWorld; alice: SyncPeer; phone: SyncPeer; bob: SyncPeer; mallory: SyncPeer }> {
  const world = await createSyncWorld(seed, 4, { online: false })
  const [first, second] = world.peers.map(({ documents }) => documents.self)
  const personOf = (device: DeviceId): string => (device === second ? (first ?? '') : device)
  for (const peer of world.peers) Object.assign(peer.ports, { writers: { ...peer.ports.writers, personOf } })
  for (const index of world.peers.keys()) await world.restart(index, { online: false })
  const [alice, phone, bob, mallory] = world.peers as [SyncPeer, SyncPeer, SyncPeer, SyncPeer]
  return { world, alice, phone, bob, mallory }
}

const logBytes = (peer: SyncPeer): number =>
  [...peer.store.data.logs]
    .filter(([name]) => name.includes('/log-'))
    .flatMap(([, all]) => all)
    .reduce((sum, { bytes }) => sum + bytes.byteLength, 0)

async function pass({ clock, calm }: SyncWorld, seconds: number): Promise<void> {
  for (let second = 0; second < seconds; second += 2) {
    await clock.advanceAsync(2_000)
    await calm()
  }
}

test('a member who floods is taken from as far as their budget goes; others are not held up, and nothing is lost', async () => {
  const { world, alice, bob, mallory } = await scene('budgets')
  const flood = await mallory.open(ROOM)
  for (let mib = 0; mib < 12; mib++)
    for (let batch = 0; batch < MIB / BATCH_BYTES; batch++) await flood.write(fill(1, BATCH_BYTES))
  const here = await alice.open(ROOM)
  // no other link, so that Bob does not hand on what he was spared himself
  world.network.partition([alice.documents.self, mallory.documents.self], [alice.documents.self, bob.documents.self])
  for (const peer of [alice, bob, mallory]) peer.syncer.start()
  await world.calm()
  const there = await bob.open(ROOM)
  await there.write([{ bytes: new Uint8Array([1]) }])
  await pass(world, 20)
  expect([...here.operations().values()].some(({ author }) => author === bob.documents.self)).toBe(true)
  expect(logBytes(alice)).toBeGreaterThan(SYNC_BUDGET_BURST_BYTES * 0.9)
  expect(logBytes(alice)).toBeLessThan(SYNC_BUDGET_BURST_BYTES + 40 * SYNC_BUDGET_BYTES_PER_S)
  await pass(world, 120)
  expect(of(here, mallory)).toBe(of(flood, mallory))
  await world.stop()
}, 120_000)

const of = (document: Document, { documents }: SyncPeer): number =>
  [...document.operations().values()].filter(({ author }) => author === documents.self).length

test('many operations in few bytes are taken from a member as far as what they take in memory was theirs to cost', async () => {
  const { world, alice, mallory } = await scene('small ones')
  // most of what lasts is used up
  await alice.store.put('sync/budgets', encode([[mallory.documents.self, MIB, world.clock.now()]]))
  const here = await world.restart(0, { online: false })
  const flood = await mallory.open(ROOM)
  for (let batch = 0; batch < 10; batch++) await flood.write(fill(SYNC_OPERATIONS_MAX, 1))
  const document = await here.open(ROOM)
  for (const peer of [here, mallory]) peer.syncer.start()
  await pass(world, 20)
  const taken = of(document, mallory)
  expect(taken).toBeGreaterThan(0)
  // the last one overdraws
  expect(taken).toBeLessThanOrEqual(MIB / SYNC_BUDGET_OPERATION_BYTES + SYNC_OPERATIONS_MAX)
  // more is taken as time goes by, and nothing is lost
  for (let count = 0; count < 20; count++) {
    world.clock.jumpWallClock(10 * 60_000)
    await pass(world, 2)
    await world.clock.advanceAsync(10 * 60_000)
    await world.calm()
  }
  expect(of(document, mallory)).toBe(of(flood, mallory))
  await world.stop()
}, 120_000)

test('chains of one small envelope each cost a member what is known of each, and make a room weigh as much', async () => {
  const { world, alice, mallory } = await scene('chains')
  const left = 64 * 1024
  await alice.store.put('sync/budgets', encode([[mallory.documents.self, left, world.clock.now()]]))
  const here = await world.restart(0, { online: false })
  const replica = await here.documents.adopt(ROOM, {})
  const before = replica.weight()
  const chains = Array.from({ length: 60 }, () => forgeChain([{}], mallory.ports, documentKey(ROOM)))
  const { stored, delayMs } = await replica.receive((await Promise.all(chains)).flat(), mallory.documents.self, {})
  expect(delayMs).toBeGreaterThan(0)
  expect(stored.length).toBeLessThanOrEqual(1 + left / SYNC_BUDGET_CHAIN_BYTES)
  expect(replica.weight() - before).toBeGreaterThanOrEqual(stored.length * SYNC_BUDGET_CHAIN_BYTES)
  await world.stop()
})

test.each([
  ['telling ends of chains that do not exist', 'ends'],
  ['telling the same of a chain that is there again and again', 'held'],
  ['erasing the same again and again', 'erases'],
] as const)('%s costs a member as much as what it writes', async (_name, what) => {
  const { world, alice, mallory } = await scene(what)
  await alice.store.put('sync/budgets', encode([[mallory.documents.self, MIB, world.clock.now()]]))
  const here = await world.restart(0, { online: false })
  const epoch = await mallory.ports.keyring.current(ROOM.scope, {})
  const given = { ports: mallory.ports, document: ROOM, epoch, at: world.clock.now() }
  const first = await backdatedChain([{ bytes: new Uint8Array(1) }], given)
  const steps = Array.from({ length: 20 }, (_, count): BackdatedStep => {
    const places = Array.from({ length: SYNC_ENDS_MAX }, (_place, index) => 1 + count * SYNC_ENDS_MAX + index)
    if (what === 'ends') return { ends: places.map((chain) => ({ chain, sequence: 1 })) }
    if (what === 'held') return { ends: places.map(() => ({ chain: first.chain, sequence: 1 })) }
    return { erases: places.map(() => ({ chain: first.chain, clock: 0, count: 1 })) }
  })
  const { envelopes } = await backdatedChain(steps, given)
  const replica = await here.documents.adopt(ROOM, {})
  const received = await replica.receive([...first.envelopes, ...envelopes], mallory.documents.self, {})
  // some 3 KB each: by their bytes alone all of them were taken. The last one overdraws
  const each = what === 'erases' ? SYNC_BUDGET_OPERATION_BYTES : SYNC_BUDGET_END_BYTES
  expect(received.stored.length).toBeLessThanOrEqual(2 + Math.ceil(MIB / each / SYNC_ENDS_MAX))
  expect(received.stored.length).toBeGreaterThan(1)
  expect(received.delayMs).toBeGreaterThan(0)
  await world.stop()
})

test('a new device takes the history of its person, and of others from it, at once', async () => {
  const { world, alice, phone, mallory } = await scene('catching up')
  const here = await alice.open(ROOM)
  for (let mib = 0; mib < 12; mib++)
    for (let batch = 0; batch < MIB / BATCH_BYTES; batch++) await here.write(fill(1, BATCH_BYTES))
  world.network.partition([alice.documents.self, phone.documents.self], [phone.documents.self, mallory.documents.self])
  for (const peer of [alice, phone, mallory]) peer.syncer.start()
  await world.calm()
  expect(of(await phone.open(ROOM), alice)).toBe(12 * (MIB / BATCH_BYTES))
  // and a person who comes new takes from the phone what the laptop wrote
  await pass(world, 200)
  expect(of(await mallory.open(ROOM), alice)).toBe(12 * (MIB / BATCH_BYTES))
  await world.stop()
}, 120_000)

test('many small envelopes do not have a large document written for each few of them', async () => {
  const world = await createSyncWorld('amplified', 1, { online: false })
  const [alice] = world.peers as [SyncPeer]
  const document = await alice.open(ROOM)
  for (let mib = 0; mib < 8; mib++) await document.write(fill(16, BATCH_BYTES))
  await alice.documents.idle()
  let written = 0
  const append = alice.store.append.bind(alice.store)
  alice.store.append = (log, entries, options) => {
    written += entries.reduce((sum, { byteLength }) => sum + byteLength, 0)
    return append(log, entries, options)
  }
  let sent = 0
  for (let count = 0; count < 4_000; count++) {
    await document.write([{ bytes: new Uint8Array([count & 255]) }])
    sent += 400
  }
  await alice.documents.idle()
  expect(written).toBeLessThan(sent + 16 * MIB)
  expect(written).toBeGreaterThan(SYNC_SNAPSHOT_BYTES)
  await world.stop()
}, 120_000)
