import { expect, test } from 'vitest'
import {
  asId,
  SYNC_BUDGET_OPERATION_BYTES,
  SYNC_SNAPSHOT_ENVELOPES,
  type DocumentId,
} from '../../../mesh/base/index.ts'
import { createDocuments, documentKey, type Documents } from '../../../mesh/sync/index.ts'
import { createProgress } from '../../../mesh/sync/serving.ts'
import { createVirtualClock } from '../../kit/clock.ts'
import { createMemoryStore, type MemoryStore } from '../../kit/memory-store.ts'
import { createSeededRandom } from '../../kit/random.ts'
import { createTestScopes, scopeOf, syncPorts, type TestScopes } from '../../kit/sync-peers.ts'

const ID = asId<DocumentId>('notes')
const WHAT = { kind: 'operations', scope: scopeOf('mesh') } as const
const text = (value: string): Uint8Array => new TextEncoder().encode(value)
const read = (value: Uint8Array | undefined): string => new TextDecoder().decode(value)

interface Peer {
  readonly ports: Awaited<ReturnType<typeof syncPorts>>
  readonly store: MemoryStore
  readonly documents: Documents
  restart(): Promise<Peer>
}

async function peerOn(store: MemoryStore, ports: Peer['ports']): Promise<Peer> {
  const documents = await createDocuments(ports)
  return {
    ports,
    store,
    documents,
    async restart() {
      documents.stop()
      const again = createMemoryStore(store.data)
      return peerOn(again, { ...ports, store: again })
    },
  }
}

async function world(
  count: number,
): Promise<{ scopes: TestScopes; peers: Peer[]; clock: ReturnType<typeof createVirtualClock> }> {
  const random = createSeededRandom('documents')
  const scopes = createTestScopes(random)
  const clock = createVirtualClock()
  const peers: Peer[] = []
  for (let index = 0; index < count; index++) {
    const store = createMemoryStore()
    const ports = await syncPorts({ scopes, random: createSeededRandom(index), clock, store })
    scopes.grant(ports.signer.id, 'mesh', ['read', 'write', 'store'])
    peers.push(await peerOn(store, ports))
  }
  await scopes.rotate('mesh')
  return { scopes, peers, clock }
}

/** Everything one has and the other lacks. */
async function pull(
  from: Peer,
  to: Peer,
  what: Parameters<Documents['adopt']>[0] = { id: ID, ...WHAT },
): Promise<void> {
  const source = await from.documents.adopt(what, {})
  const target = await to.documents.adopt(what, {})
  const progress = createProgress(target.vector())
  for (;;) {
    const { envelopes, more } = await source.next(progress, {})
    if (envelopes.length > 0) await target.receive(envelopes, from.documents.self, {})
    if (!more) return
  }
}

test('an operation written here is shown on another device with its author and its time', async () => {
  const { peers, clock } = await world(2)
  const [alice, bob] = peers as [Peer, Peer]
  const here = await alice.documents.open(ID, WHAT)
  const [id] = await here.write([{ bytes: text('hello') }])
  const there = await bob.documents.open(ID, WHAT)
  const seen: unknown[] = []
  there.changes.subscribe((change) => seen.push(change))
  await pull(alice, bob)
  expect(there.operations().get(id ?? '')).toEqual({
    bytes: text('hello'),
    author: alice.documents.self,
    at: clock.now(),
  })
  expect(seen).toEqual([{ added: [id], erased: [], author: alice.documents.self }])
  expect(there.vector()).toEqual(here.vector())
})

test('everything is as it was after a restart, also after compaction', async () => {
  const { peers } = await world(1)
  let alice = peers[0] as Peer
  let document = await alice.documents.open(ID, WHAT)
  await document.write(Array.from({ length: 300 }, (_, index) => ({ bytes: text(`message ${String(index)}`) })))
  for (let round = 0; round < 3; round++) {
    const before = [...document.operations()]
    const digest = (await alice.documents.replica(documentKey(document.name), {}))?.digest()
    alice = await alice.restart()
    document = await alice.documents.open(ID, WHAT)
    expect([...document.operations()].sort()).toEqual(before.sort())
    const replica = await alice.documents.replica(documentKey(document.name), {})
    expect(replica?.digest()).toBe(digest)
    await replica?.compact({})
    await document.write([{ bytes: text(`round ${String(round)}`) }])
  }
  expect(document.operations().size).toBe(303)
})

test('what is erased is gone from every disk, and only its author can erase it', async () => {
  const { peers } = await world(3)
  const [alice, bob, carol] = peers as [Peer, Peer, Peer]
  const here = await alice.documents.open(ID, WHAT)
  const [first = '', second = ''] = await here
    .write([{ bytes: text('keep') }])
    .then(async (one) => [...one, ...(await here.write([{ bytes: new Uint8Array(100_000).fill(7) }]))])
  const there = await bob.documents.open(ID, WHAT)
  await pull(alice, bob)
  await expect(there.erase([second])).rejects.toMatchObject({ code: 'unauthorized' })
  await here.erase([second])
  await pull(alice, bob)
  expect([...there.operations().keys()]).toEqual([first])
  const replica = await bob.documents.adopt({ id: ID, ...WHAT }, {})
  const sizeOf = (): number =>
    [...bob.store.data.logs.values()].flat().reduce((sum, entry) => sum + entry.bytes.byteLength, 0)
  expect(sizeOf()).toBeGreaterThan(100_000)
  await replica.compact({})
  expect(sizeOf()).toBeLessThan(5_000)
  // a third device learns it from the one that has only the head any more
  const third = await carol.documents.open(ID, WHAT)
  await pull(bob, carol)
  expect([...third.operations().keys()]).toEqual([first])
  expect(third.vector()).toEqual(here.vector())
  const again = await carol.restart()
  expect([...(await again.documents.open(ID, WHAT)).operations().keys()]).toEqual([first])
})

test('what was erased before a snapshot was made leaves the disk when the log is written anew, also after a restart', async () => {
  const { peers } = await world(1)
  const [alice] = peers as [Peer]
  const document = await alice.documents.open(ID, WHAT)
  const [secret = ''] = await document.write([{ bytes: new Uint8Array(100_000).fill(7) }])
  await document.erase([secret])
  for (let index = 0; index < SYNC_SNAPSHOT_ENVELOPES; index++) await document.write([{ bytes: text('m') }])
  await alice.documents.idle()
  const snapshots = (): string[] => [...alice.store.data.logs.keys()].filter((name) => name.includes('/content-'))
  const sizeOf = (name: string): number =>
    [...alice.store.data.logs]
      .filter(([log]) => log.includes(name))
      .flatMap(([, entries]) => entries)
      .reduce((sum, entry) => sum + entry.bytes.byteLength, 0)
  expect(snapshots()).toHaveLength(1)
  expect(sizeOf('/content-')).toBeLessThan(100_000)
  const beforeBytes = sizeOf('/log-')
  const again = await alice.restart()
  const reopened = await again.documents.open(ID, WHAT)
  await (await again.documents.replica(documentKey(reopened.name), {}))?.forgetErased({})
  expect(sizeOf('/log-')).toBeLessThan(beforeBytes - 100_000)
  expect(reopened.operations().size).toBe(SYNC_SNAPSHOT_ENVELOPES)
})

test('the last writer of a setting wins everywhere, and a stamp from the far future does not lock it', async () => {
  const { peers, clock } = await world(2)
  const [alice, bob] = peers as [Peer, Peer]
  const name = { id: asId<DocumentId>('room-name'), kind: 'settings', scope: scopeOf('mesh') } as const
  const here = await alice.documents.open(name.id, name)
  const there = await bob.documents.open(name.id, name)
  await here.write([{ id: 'name', bytes: text('one') }])
  await pull(alice, bob, name)
  await there.write([{ id: 'name', bytes: text('two') }])
  await pull(bob, alice, name)
  expect([here, there].map((document) => read(document.operations().get('name')?.bytes))).toEqual(['two', 'two'])
  clock.jumpWallClock(400 * 86_400_000)
  await here.write([{ id: 'name', bytes: text('far') }])
  clock.jumpWallClock(-400 * 86_400_000)
  await pull(alice, bob, name)
  expect(read(there.operations().get('name')?.bytes)).toBe('two')
  await there.write([{ id: 'name', bytes: text('three') }])
  await pull(bob, alice, name)
  expect(read(there.operations().get('name')?.bytes)).toBe('three')
  await there.erase(['name'])
  await pull(bob, alice, name)
  expect(there.operations().has('name')).toBe(false)
})

test('a device that may only store keeps envelopes blindly and hands them on', async () => {
  const { scopes, peers } = await world(3)
  const [alice, helper, bob] = peers as [Peer, Peer, Peer]
  scopes.revoke(helper.documents.self, 'mesh')
  await scopes.rotate('mesh')
  scopes.grant(helper.documents.self, 'mesh', ['store'])
  const here = await alice.documents.open(ID, WHAT)
  await here.write([{ bytes: text('passes through') }])
  await pull(alice, helper)
  await expect(helper.documents.open(ID, WHAT)).rejects.toMatchObject({ code: 'unauthorized' })
  await pull(helper, bob)
  const there = await bob.documents.open(ID, WHAT)
  expect([...there.operations().values()].map(({ bytes }) => read(bytes))).toEqual(['passes through'])
})

test('what came before its key is read when the key comes', async () => {
  const { scopes, peers } = await world(2)
  const [alice, bob] = peers as [Peer, Peer]
  const there = await bob.documents.open(ID, WHAT)
  const here = await alice.documents.open(ID, WHAT)
  await here.write([{ bytes: text('first') }])
  const random = createSeededRandom('late')
  const ports = await syncPorts({ scopes, random, clock: alice.ports.clock })
  scopes.grant(ports.signer.id, 'mesh', ['read', 'write', 'store'])
  scopes.revoke(bob.documents.self, 'mesh')
  await scopes.rotate('mesh')
  scopes.grant(bob.documents.self, 'mesh', ['write', 'store'])
  await here.write([{ bytes: text('second') }])
  await pull(alice, bob)
  expect([...there.operations().values()].map(({ bytes }) => read(bytes))).toEqual(['first'])
  expect(there.vector()).toEqual(here.vector())
  scopes.grant(bob.documents.self, 'mesh', ['read', 'write', 'store'])
  await bob.documents.idle()
  expect([...there.operations().values()].map(({ bytes }) => read(bytes)).sort()).toEqual(['first', 'second'])
})

test('a write that the disk refused is not shown, and later writes are', async () => {
  const { peers } = await world(2)
  const [alice, bob] = peers as [Peer, Peer]
  const here = await alice.documents.open(ID, WHAT)
  await here.write([{ bytes: text('one') }])
  alice.store.failWrites({ code: 'storage-full', atWrite: 1 })
  await expect(here.write([{ bytes: text('two') }])).rejects.toMatchObject({ code: 'storage-full' })
  expect(here.operations().size).toBe(1)
  await here.write([{ bytes: text('three') }])
  await pull(alice, bob)
  const there = await bob.documents.open(ID, WHAT)
  expect([...there.operations().values()].map(({ bytes }) => read(bytes)).sort()).toEqual(['one', 'three'])
})

test('what a document takes in memory is known while it is closed, also after a restart, and is less for what was erased', async () => {
  const { peers } = await world(1)
  const [peer] = peers as [Peer]
  const document = await peer.documents.open(ID, WHAT)
  const ids = await document.write(Array.from({ length: 200 }, () => ({ bytes: new Uint8Array(10) })))
  const key = documentKey({ id: ID, ...WHAT })
  const weigh = async (of: Peer): Promise<number> => (await of.documents.replica(key, {}))?.weight() ?? 0
  const before = await weigh(peer)
  expect(before).toBeGreaterThanOrEqual(200 * SYNC_BUDGET_OPERATION_BYTES)
  await document.erase(ids.slice(0, 150))
  const after = await weigh(peer)
  expect(before - after).toBeGreaterThan(140 * SYNC_BUDGET_OPERATION_BYTES)
  document.close()
  expect(await weigh(peer)).toBe(after)
  const again = await peer.restart()
  expect(await weigh(again)).toBe(after)
  // the log is written anew: what is left of it still counts
  await (await again.documents.replica(key, {}))?.compact({})
  const compacted = await weigh(await again.restart())
  expect(compacted).toBeGreaterThan(50 * SYNC_BUDGET_OPERATION_BYTES)
  expect(compacted).toBeLessThanOrEqual(after)
})

test('a change larger than one envelope is split, and taken whole', async () => {
  const { peers } = await world(2)
  const [alice, bob] = peers as [Peer, Peer]
  const here = await alice.documents.open(ID, WHAT)
  const ids = await here.write(
    Array.from({ length: 12 }, (_, index) => ({ bytes: new Uint8Array(200 * 1024).fill(index) })),
  )
  await pull(alice, bob)
  const there = await bob.documents.open(ID, WHAT)
  expect(ids.map((id) => there.operations().get(id)?.bytes[0])).toEqual(ids.map((_, index) => index))
  await expect(here.write([{ bytes: new Uint8Array(257 * 1024) }])).rejects.toMatchObject({ code: 'too-large' })
})

test('10,000 operations open in 500 ms of the processor', async () => {
  const { peers } = await world(1)
  let alice = peers[0] as Peer
  const document = await alice.documents.open(ID, WHAT)
  const started = performance.now()
  for (let index = 0; index < 10_000; index++)
    await document.write([{ bytes: text(`message number ${String(index)} ${'.'.repeat(200)}`) }])
  const writing = performance.now() - started
  await alice.documents.idle()
  alice = await alice.restart()
  // the processor's time: what others do on the machine is not ours
  const before = process.cpuUsage()
  const again = await alice.documents.open(ID, WHAT)
  const { user, system } = process.cpuUsage(before)
  const opening = (user + system) / 1_000
  console.log(`10,000 writes ${writing.toFixed(0)} ms, open ${opening.toFixed(0)} ms`)
  expect(again.operations().size).toBe(10_000)
  expect(opening).toBeLessThan(500)
}, 120_000)
