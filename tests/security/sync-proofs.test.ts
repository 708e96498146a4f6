import { expect, test } from 'vitest'
import { SYNC_BATCH_ENVELOPES } from '../../mesh/base/index.ts'
import { forge } from '../kit/sync-forge.ts'
import { createSyncWorld, ROOM, type SyncPeer } from '../kit/sync-world.ts'

// What a device that fetches a document is given for what was erased, and what that costs who gives it.

const WRITTEN = 300
const ERASERS = 1_000

function processorMs(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000
}

test('who erases the same again and again makes neither the proofs longer nor the giving slow', async () => {
  const world = await createSyncWorld('proofs', 3, { online: false })
  const [alice, bob, mallory] = world.peers as [SyncPeer, SyncPeer, SyncPeer]
  const theirs = await mallory.open(ROOM)
  for (let index = 0; index < WRITTEN; index++) await theirs.write([{ bytes: new Uint8Array([index & 255]) }])
  const [chain = 0] = theirs.vector().keys()
  const replica = await alice.documents.adopt(ROOM, {})
  const source = await mallory.documents.adopt(ROOM, {})
  const told = new Map<number, number>()
  for (let more = true; more;) {
    const batch = await source.next(told, {})
    await replica.receive(batch.envelopes, mallory.documents.self, {})
    more = batch.more
  }
  const erases = [{ chain, clock: 0, count: WRITTEN }]
  for (let index = 0; index < ERASERS; index++)
    await replica.receive(await forge({ count: 0, erases }, mallory.ports), mallory.documents.self, {})
  await replica.compact({})

  const fetching = await bob.documents.adopt(ROOM, {})
  const sent = new Map<number, number>()
  const started = processorMs()
  let [given, most] = [0, 0]
  for (let more = true; more && given < 50 * (WRITTEN + ERASERS);) {
    const batch = await replica.next(sent, {})
    given += batch.envelopes.length
    most = Math.max(most, batch.envelopes.length)
    await fetching.receive(batch.envelopes, alice.documents.self, {})
    more = batch.more
  }
  console.log(`given ${String(given)}, at once ${String(most)}, ${(processorMs() - started).toFixed(0)} ms`)
  expect(fetching.digest()).toBe(replica.digest())
  expect(given).toBeLessThan(2 * (WRITTEN + ERASERS))
  expect(most).toBeLessThanOrEqual(SYNC_BATCH_ENVELOPES)
  await world.stop()
}, 120_000)

test('what was erased piece by piece is given in a time that grows with what there is', async () => {
  const world = await createSyncWorld('pieces', 2, { online: false })
  const [alice, bob] = world.peers as [SyncPeer, SyncPeer]
  const document = await alice.open(ROOM)
  const replica = await alice.documents.adopt(ROOM, {})
  const costOf = async (count: number): Promise<number> => {
    const ids: string[] = []
    for (let index = 0; index < count; index++) ids.push(...(await document.write([{ bytes: new Uint8Array(8) }])))
    for (const id of ids) await document.erase([id])
    await replica.compact({})
    const sent = new Map<number, number>()
    const started = processorMs()
    while ((await replica.next(sent, {})).more);
    return processorMs() - started
  }
  await costOf(100)
  const [some, more] = [await costOf(400), await costOf(3_600)]
  console.log(`500: ${some.toFixed(0)} ms, 4100: ${more.toFixed(0)} ms`)
  expect(more).toBeLessThan(2_000)
  await (
    await bob.documents.adopt(ROOM, {})
  ).receive((await replica.next(new Map(), {})).envelopes, bob.documents.self, {})
  await world.stop()
}, 240_000)
