import { describe, expect, test } from 'vitest'
import { randomInt, SYNC_ERASES_MAX, SYNC_OPERATIONS_MAX } from '../../mesh/base/index.ts'
import { readEnvelope } from '../../mesh/sync/envelope.ts'
import { documentKey } from '../../mesh/sync/index.ts'
import { createSeededRandom } from '../kit/random.ts'
import { forgeChain, type ForgedStep } from '../kit/sync-forge.ts'
import { createSyncWorld, ROOM, type SyncPeer, type SyncWorld } from '../kit/sync-world.ts'

// What an author erases, and how, ends nobody's reading: a device that comes new takes all that others
// wrote, in frames that its own protocol takes, from a device whose log was written anew.

const once = (steps: number, step: (index: number) => ForgedStep): ForgedStep[] =>
  Array.from({ length: steps }, (_, index) => step(index))

/** Many ranges, and one that matters. */
const wide = (clock: number, first: number): [number, number][] => [
  [clock, 1],
  ...Array.from({ length: SYNC_ERASES_MAX - 1 }, (_, index): [number, number] => [first + 2 * index, 1]),
]

/** More proof than a device lets wait: what was erased stays whole, and is read. */
const UNPROVABLE = 'an envelope of 256 operations, erased one by one with 255 others'

const HISTORIES: Readonly<Record<string, ForgedStep[]>> = {
  'one operation, erased 300 times': [{ count: 1 }, ...once(300, () => ({ erases: [[0, 1]] }))],
  'one operation, erased 150 times with 255 others': [
    { count: 1 },
    ...once(2, () => ({ count: SYNC_OPERATIONS_MAX })),
    ...once(150, () => ({ erases: wide(0, 1) })),
  ],
  'an envelope of 256 operations, erased one by one': [
    { count: SYNC_OPERATIONS_MAX },
    ...once(SYNC_OPERATIONS_MAX, (index) => ({ erases: [[index, 1]] })),
  ],
  [UNPROVABLE]: [
    { count: SYNC_OPERATIONS_MAX, sizeBytes: 10_000 },
    ...once(3, () => ({ count: SYNC_OPERATIONS_MAX })),
    ...once(SYNC_OPERATIONS_MAX, (index) => ({ erases: wide(index, SYNC_OPERATIONS_MAX) })),
  ],
  'erasers that hold much and are erased in turn': once(40, (index) => ({
    count: 1,
    sizeBytes: 60_000,
    erases: index === 0 ? [] : [[index - 1, 1]],
  })),
  'many operations, erased by the same few': [
    ...once(300, () => ({ count: 2 })),
    ...once(20, () => ({ erases: [[0, 600]] })),
  ],
}

async function take(peer: SyncPeer, envelopes: readonly Uint8Array[], from: SyncPeer): Promise<void> {
  const replica = await peer.documents.adopt(ROOM, {})
  for (let at = 0; at < envelopes.length; at += 64)
    await replica.receive(envelopes.slice(at, at + 64), from.documents.self, {})
}

const rewritten = async ({ documents }: SyncPeer): Promise<void> => (await documents.adopt(ROOM, {})).compact({})

/** Envelopes of the log that are only a head. */
const hollows = ({ store }: SyncPeer): number =>
  [...store.data.logs]
    .filter(([name]) => name.includes('/log-'))
    .flatMap(([, entries]) => entries)
    .filter(({ bytes }) => readEnvelope(bytes.subarray(1)).box === undefined).length

const logBytes = ({ store }: SyncPeer): number =>
  [...store.data.logs]
    .filter(([name]) => name.includes('/log-'))
    .flatMap(([, entries]) => entries)
    .reduce((sum, { bytes }) => sum + bytes.byteLength, 0)

/** Mallory writes, Alice takes it and writes her log anew; Bob comes new and reads from Alice alone. */
async function comesNew(
  steps: readonly ForgedStep[],
): Promise<{ world: SyncWorld; readBytes: number; keptBytes: number }> {
  const world = await createSyncWorld('erasers', 3, { online: false })
  const [alice, bob, mallory] = world.peers as [SyncPeer, SyncPeer, SyncPeer]
  const here = await alice.open(ROOM)
  await here.write([{ bytes: new Uint8Array(20).fill(1) }])
  await take(alice, await forgeChain(steps, mallory.ports, documentKey(ROOM)), mallory)
  await here.write([{ bytes: new Uint8Array(20).fill(2) }])
  await rewritten(alice)
  await here.write([{ bytes: new Uint8Array(20).fill(3) }])
  let readBytes = 0
  world.network.tap((from, _to, bytes) => {
    if (from === alice.documents.self) readBytes += bytes.byteLength
  })
  await mallory.stop()
  alice.syncer.start()
  bob.syncer.start()
  await world.calm()
  return { world, readBytes, keptBytes: logBytes(alice) }
}

describe('who comes new reads all that others wrote, where a member erased', () => {
  test.each(Object.keys(HISTORIES))('%s', async (name) => {
    const { world, readBytes, keptBytes } = await comesNew(HISTORIES[name] ?? [])
    const [alice, bob] = world.peers as [SyncPeer, SyncPeer]
    expect(hollows(alice) > 0).toBe(name !== UNPROVABLE)
    expect(world.network.refused).toEqual([])
    const [here, there] = [await alice.open(ROOM), await bob.open(ROOM)]
    expect([...there.operations().values()].map(({ bytes }) => bytes[0]).sort()).toEqual([1, 2, 3])
    expect(there.vector()).toEqual(here.vector())
    // proofs go once where they can: what is read is not many times what is kept
    expect(readBytes).toBeLessThan(3 * keptBytes)
    await world.stop()
  })

  test('whatever it erased, in whatever order', async () => {
    for (let seed = 0; seed < 3; seed++) {
      const random = createSeededRandom(`erasers ${String(seed)}`)
      let clocks = 0
      const steps = once(60, () => {
        const count = randomInt(random, 3) === 0 ? 1 + randomInt(random, SYNC_OPERATIONS_MAX) : 0
        const erases = once(clocks === 0 ? 0 : randomInt(random, 40), () => ({})).map((): [number, number] => {
          const clock = randomInt(random, clocks)
          return [clock, 1 + randomInt(random, Math.min(clocks - clock, 80))]
        })
        clocks += count
        return { count, erases, sizeBytes: randomInt(random, 2_000) }
      })
      const { world, readBytes, keptBytes } = await comesNew(steps)
      const [alice, bob] = world.peers as [SyncPeer, SyncPeer]
      expect(world.network.refused).toEqual([])
      expect((await bob.open(ROOM)).vector()).toEqual((await alice.open(ROOM)).vector())
      expect(readBytes).toBeLessThan(3 * keptBytes)
      await world.stop()
    }
  })
})
