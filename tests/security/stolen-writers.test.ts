import { afterEach, expect, test } from 'vitest'
import {
  asId,
  SYNC_ENDS_PAUSE_MAX_MS,
  SYNC_LATE_BYTES,
  SYNC_LATE_DEVICES_OF_PERSON,
  type DeviceId,
} from '../../mesh/base/index.ts'
import { chainOf, documentKey, readEnvelope } from '../../mesh/sync/envelope.ts'
import type { Document, EpochKey } from '../../mesh/sync/index.ts'
import { createLateComings } from '../../mesh/sync/late.ts'
import { createProgress } from '../../mesh/sync/serving.ts'
import { backdatedChain, type BackdatedStep } from '../kit/removed-writer.ts'
import { createSyncWorld, ROOM, stateOf, type SyncPeer, type SyncWorld } from '../kit/sync-world.ts'

// A phone is stolen. Before anybody hears of it, or the phone is removed, the thief signs what breaks the
// rules, and leaves it with an honest device. What the phone wrote before is not lost for it.

const worlds: SyncWorld[] = []
afterEach(async () => {
  for (const world of worlds.splice(0)) await world.stop()
})

async function worldOf(name: string, count: number): Promise<SyncWorld> {
  const world = await createSyncWorld(name, count)
  worlds.push(world)
  return world
}

const idOf = ({ ports }: SyncPeer): DeviceId => ports.signer.id
const words = (first: number, count: number): { bytes: Uint8Array }[] =>
  Array.from({ length: count }, (_, index) => ({ bytes: new Uint8Array([first + index]) }))
const shown = (document: Document, peer: SyncPeer): number[] =>
  [...document.operations().values()]
    .filter(({ author, bytes }) => author === idOf(peer) && bytes.byteLength === 1)
    .map(({ bytes }) => bytes[0] ?? 0)
    .sort((a, b) => a - b)

/** Long enough for ends to be told and asked for. */
async function pass(world: SyncWorld): Promise<void> {
  for (let step = 0; step < 3; step++) {
    await world.calm()
    await world.clock.advanceAsync(SYNC_ENDS_PAUSE_MAX_MS)
  }
  await world.calm()
}

async function remove(world: SyncWorld, phone: SyncPeer): Promise<void> {
  await phone.stop()
  world.scopes.revoke(idOf(phone), 'mesh')
  await world.scopes.rotate('mesh')
  await pass(world)
}

/** The thief hands it over while nobody there has heard of the removal. */
async function plant(peer: SyncPeer, phone: SyncPeer, envelopes: readonly Uint8Array[]): Promise<number> {
  const replica = await peer.documents.adopt(ROOM, {})
  const { stored } = await replica.receive(envelopes, idOf(phone), {})
  peer.documents.release(replica)
  return stored.length
}

const signs = (
  phone: SyncPeer,
  epoch: EpochKey,
  steps: readonly BackdatedStep[],
  run?: Uint8Array,
): Promise<Uint8Array[]> =>
  backdatedChain(steps, {
    ports: phone.ports,
    document: ROOM,
    epoch,
    at: 1_000,
    ...(run === undefined ? {} : { run }),
  }).then(({ envelopes }) => envelopes)

const ends = [{ chain: 1, sequence: 1 }]
const large = new Uint8Array(SYNC_LATE_BYTES / 8)

test.each<[string, readonly BackdatedStep[]]>([
  ['a box that does not open', [{ bytes: large, isBroken: true }]],
  ['a box that does not open, in a chain that tells ends', [{ isBroken: true, ends }]],
  ['many ends', Array.from({ length: 64 }, () => ({ ends }))],
])('words of a stolen device that only a helper kept come, whatever the thief left there: %s', async (what, steps) => {
  const world = await worldOf(what, 4)
  const [alice, bob, keeper, phone] = world.peers as [SyncPeer, SyncPeer, SyncPeer, SyncPeer]
  world.scopes.grant(idOf(keeper), 'mesh', ['store'])
  await (await alice.open(ROOM)).write(words(100, 1))
  await world.calm()
  const old = await phone.ports.keyring.current(ROOM.scope, {})
  world.network.partition([idOf(alice), idOf(bob)], [idOf(keeper), idOf(phone)])
  for (const word of words(0, 10)) await (await phone.open(ROOM)).write([word])
  await world.calm()
  expect(await plant(keeper, phone, await signs(phone, old, steps))).toBe(steps.length)
  await remove(world, phone)
  world.network.partition()
  // Alice has the room open, Bob opens it later, and both start again
  await pass(world)
  for (const start of ['first', 'again']) {
    const documents = [await (world.peers[0] as SyncPeer).open(ROOM), await (world.peers[1] as SyncPeer).open(ROOM)]
    const all = words(0, 10).map(({ bytes }) => bytes[0])
    expect(
      documents.map((one) => shown(one, phone)),
      start,
    ).toEqual([all, all])
    expect(stateOf(documents[1] as Document)).toEqual(stateOf(documents[0] as Document))
    for (const index of [0, 1]) await world.restart(index)
    await world.calm()
  }
})

test('two envelopes for one place, left with another helper, keep no other words of a stolen device away', async () => {
  const world = await worldOf('a fork', 5)
  const [alice, bob, keeper, other, phone] = world.peers as [SyncPeer, SyncPeer, SyncPeer, SyncPeer, SyncPeer]
  for (const peer of [keeper, other]) world.scopes.grant(idOf(peer), 'mesh', ['store'])
  world.network.partition([idOf(alice), idOf(bob), idOf(keeper), idOf(phone)], [idOf(other)])
  await (await phone.open(ROOM)).write(words(50, 1))
  await world.calm()
  const old = await phone.ports.keyring.current(ROOM.scope, {})
  const first = await (await alice.documents.adopt(ROOM, {})).next(createProgress([]), {})
  const { run } = readEnvelope(first.envelopes[0] as Uint8Array).head
  world.network.partition([idOf(alice), idOf(bob)], [idOf(keeper), idOf(phone)], [idOf(other)])
  const again = await world.restart(4)
  await (await again.open(ROOM)).write(words(0, 10))
  await world.calm()
  expect(await plant(other, phone, await signs(phone, old, words(200, 4), run))).toBe(4)
  await remove(world, again)
  // the other helper comes first
  world.network.partition([idOf(alice), idOf(bob), idOf(other)], [idOf(keeper)])
  await pass(world)
  // nor is what does not go on from what is here asked for again
  expect((await alice.documents.adopt(ROOM, {})).declined(idOf(other))).toHaveLength(1)
  world.network.partition([idOf(alice), idOf(bob), idOf(keeper)], [idOf(other)])
  await pass(world)
  for (const peer of [alice, bob])
    expect(shown(await peer.open(ROOM), phone)).toEqual([...words(0, 10), ...words(50, 1)].map(({ bytes }) => bytes[0]))
})

test('what breaks a rule hides nothing that was taken, on no device, open or not, and what follows it is shown', async () => {
  const world = await worldOf('hides nothing', 3)
  const [alice, bob, phone] = world.peers as [SyncPeer, SyncPeer, SyncPeer]
  await alice.open(ROOM)
  const there = await phone.open(ROOM)
  await there.write(words(0, 10))
  await world.calm()
  const epoch = await phone.ports.keyring.current(ROOM.scope, {})
  const place = { document: documentKey(ROOM), author: idOf(phone), run: new Uint8Array(16).fill(7), epoch: epoch.id }
  const chain = chainOf(place)
  const envelopes = await signs(
    phone,
    epoch,
    [
      ...words(20, 1),
      { bytes: new Uint8Array([21]), isBroken: true },
      ...words(22, 1),
      // and one that erases what was never to be seen
      { bytes: new Uint8Array([23]), isBroken: true, erases: [{ chain, clock: 1, count: 1 }] },
      ...words(24, 1),
    ],
    place.run,
  )
  // Alice sees it at once and takes no more; Bob, who has the room closed, takes it all
  expect([await plant(alice, phone, envelopes.slice(0, 2)), await plant(bob, phone, envelopes)]).toEqual([2, 5])
  expect(await plant(alice, phone, envelopes)).toBe(0)
  expect(alice.documents.quarantined().map(({ author }) => author)).toEqual([idOf(phone)])
  await remove(world, phone)
  const all = [...words(0, 10), ...words(20, 1), ...words(22, 1), ...words(24, 1)].map(({ bytes }) => bytes[0])
  for (let start = 0; start < 3; start++) {
    const documents = [await (world.peers[0] as SyncPeer).open(ROOM), await (world.peers[1] as SyncPeer).open(ROOM)]
    expect(documents.map((one) => shown(one, phone))).toEqual([all, all])
    expect(stateOf(documents[1] as Document)).toEqual(stateOf(documents[0] as Document))
    await (await (world.peers[start % 2] as SyncPeer).documents.adopt(ROOM, {})).compact({})
    for (const index of [0, 1]) await world.restart(index)
    await world.calm()
  }
})

test('what a thief had one helper of a person keep takes nothing from another, which comes later', async () => {
  const world = await worldOf('two helpers', 4)
  const [alice, keeper, other, phone] = world.peers as [SyncPeer, SyncPeer, SyncPeer, SyncPeer]
  for (const peer of [keeper, other]) world.scopes.grant(idOf(peer), 'mesh', ['store'])
  for (const { ports } of world.peers) Object.assign(ports.writers, { personOf: () => 'alice' })
  const old = await phone.ports.keyring.current(ROOM.scope, {})
  world.network.partition([idOf(keeper), idOf(phone)])
  for (const word of words(0, 10)) await (await phone.open(ROOM)).write([word])
  await world.calm()
  const much = Array.from({ length: 12 }, () => ({ bytes: large }))
  expect(await plant(other, phone, await signs(phone, old, much))).toBe(12)
  await remove(world, phone)
  world.network.partition([idOf(alice), idOf(other)])
  await pass(world)
  world.network.partition([idOf(alice), idOf(keeper)])
  await pass(world)
  expect(shown(await alice.open(ROOM), phone)).toEqual(words(0, 10).map(({ bytes }) => bytes[0]))
})

test('with however many devices, one person brings little of what a removed one wrote', async () => {
  const { ports } = (await worldOf('many devices', 1)).peers[0] as SyncPeer
  const late = createLateComings(
    { key: documentKey(ROOM), scope: ROOM.scope, hasAny: () => false, heldOf: () => 0 },
    {
      ...{ ...ports, writers: { ...ports.writers, personOf: () => 'bob' } },
      absences: { elapsedMs: () => 0, close: () => undefined },
    },
  )
  let bytes = 0
  const head = { author: idOf({ ports } as SyncPeer), sequence: 1 }
  for (let device = 0; device < 64; device++)
    while (await late.isOpenTo(idOf({ ports } as SyncPeer), asId<DeviceId>(`bob-${String(device)}`), {})) {
      late.count({ head, chain: 1, bytes: new Uint8Array(SYNC_LATE_BYTES) }, asId<DeviceId>(`bob-${String(device)}`))
      bytes += SYNC_LATE_BYTES
    }
  expect(bytes).toBe(SYNC_LATE_BYTES * SYNC_LATE_DEVICES_OF_PERSON)
})
