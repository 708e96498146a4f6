import { expect, test } from 'vitest'
import { asId, SYNC_WINDOW_BYTES, type DocumentId } from '../../mesh/base/index.ts'
import { documentKey, type Document, type DocumentName } from '../../mesh/sync/index.ts'
import { createSyncWorld, ROOM, stateOf, type SyncPeer, type SyncWorld } from '../kit/sync-world.ts'
import { scopeOf } from '../kit/sync-peers.ts'

const text = (value: string): Uint8Array => new TextEncoder().encode(value)
const fill = (count: number, size: number): { bytes: Uint8Array }[] =>
  Array.from({ length: count }, (_, index) => ({ bytes: new Uint8Array(size).fill(index) }))

async function openAll(world: SyncWorld, name: DocumentName = ROOM): Promise<Document[]> {
  return Promise.all(world.peers.map((peer) => peer.open(name)))
}

test('what one writes is on all linked devices, and the author learns where it is durable', async () => {
  const world = await createSyncWorld('live', 4)
  const [alice, ...others] = world.peers as [SyncPeer, ...SyncPeer[]]
  const documents = await openAll(world)
  const [id = ''] = await (documents[0] as Document).write([{ bytes: text('hello') }])
  await world.calm()
  for (const document of documents) expect(stateOf(document)).toEqual(stateOf(documents[0] as Document))
  expect([...(await alice.syncer.holders(ROOM))(id)].sort()).toEqual(others.map((peer) => peer.documents.self).sort())
  const [later = ''] = await (documents[1] as Document).write([{ bytes: text('and back') }])
  await world.calm()
  expect((documents[0] as Document).operations().has(later)).toBe(true)
  // what is known is not sent again: a message costs each link a few frames
  const before = world.network.frames
  await (documents[2] as Document).write([{ bytes: text('third') }])
  await world.calm()
  expect(world.network.frames - before).toBeLessThan(3 * 3 * 4 + 12)
  await world.stop()
})

test('documents nobody has open are kept and handed on', async () => {
  const world = await createSyncWorld('unopened', 3)
  const [alice, bob, carol] = world.peers as [SyncPeer, SyncPeer, SyncPeer]
  world.network.partition([alice.documents.self, bob.documents.self], [carol.documents.self])
  await (await alice.open(ROOM)).write([{ bytes: text('by way of bob') }])
  await world.calm()
  expect(bob.documents.list()).toEqual([ROOM])
  world.network.partition([bob.documents.self, carol.documents.self])
  await world.calm()
  expect([...(await carol.open(ROOM)).operations().values()].map(({ author }) => author)).toEqual([
    alice.documents.self,
  ])
  await world.stop()
})

test('a session cut at whichever frame goes on where it stopped', async () => {
  for (let frames = 0; frames < 40; frames++) {
    const world = await createSyncWorld(`cut ${String(frames)}`, 2, { online: false })
    const here = await (world.peers[0] as SyncPeer).open(ROOM)
    await here.write(fill(200, 3_000))
    await here.write(fill(5, 100))
    world.network.cutAfter(frames)
    for (const peer of world.peers) peer.syncer.start()
    await world.calm()
    await world.clock.advanceAsync(5_000)
    await world.calm()
    const there = await (world.peers[1] as SyncPeer).open(ROOM)
    expect(stateOf(there), `cut after ${String(frames)} frames`).toEqual(stateOf(here))
    await world.stop()
  }
}, 120_000)

test('a device that takes nothing costs its peer no memory and no other device its speed', async () => {
  const world = await createSyncWorld('slow', 3, { online: false })
  const [alice, bob, carol] = world.peers as [SyncPeer, SyncPeer, SyncPeer]
  const here = await alice.open(ROOM)
  let sentToCarol = 0
  const source = alice.syncer.host
  const over = new AbortController()
  const wanted = [{ type: 'want' as const, name: ROOM, vector: [] as [number, number][] }]
  // carol asks once and never grants room
  void source
    .serve(
      {
        peer: carol.documents.self,
        over: over.signal,
        read: async () => wanted.shift() ?? new Promise(() => undefined),
        write: async (frame) => {
          if (frame.type === 'envelopes') sentToCarol += frame.envelopes.reduce((sum, one) => sum + one.byteLength, 0)
        },
        abort: () => undefined,
        work: (run) => run(),
      },
      { signal: over.signal },
    )
    .catch(() => undefined)
  alice.syncer.start()
  bob.syncer.start()
  for (let round = 0; round < 30; round++) await here.write(fill(2, 100_000))
  await world.calm()
  const there = await bob.open(ROOM)
  expect(stateOf(there)).toEqual(stateOf(here))
  expect(sentToCarol).toBeGreaterThan(0)
  expect(sentToCarol).toBeLessThan(2 * SYNC_WINDOW_BYTES)
  over.abort()
  await world.stop()
})

test('a device without rights never gets a name, a byte or a key of a document, in a random week', async () => {
  const world = await createSyncWorld('withheld', 4)
  const [alice, bob, , mallory] = world.peers as [SyncPeer, SyncPeer, SyncPeer, SyncPeer]
  const secret: DocumentName = {
    id: asId<DocumentId>('withheld-diary'),
    kind: 'operations',
    scope: scopeOf('room:two'),
  }
  const heard: Uint8Array[] = []
  world.network.tap((_from, to, bytes) => {
    if (to === mallory.documents.self) heard.push(bytes)
  })
  for (const peer of [alice, bob]) world.scopes.grant(peer.documents.self, secret.scope, ['read', 'write', 'store'])
  await world.scopes.rotate(secret.scope)
  await openAll(world)
  const [here, there] = [await alice.open(secret), await bob.open(secret)]
  const plain = text('a plaintext that must stay between two')
  await here.write([{ bytes: plain }])
  alice.syncer.presence.set(secret, plain)
  await world.calm()
  // asked for by name, it looks as if it were not there
  await (await mallory.open(ROOM)).write([{ bytes: text('noise') }])
  await expect(mallory.open(secret)).rejects.toMatchObject({ code: 'unauthorized' })
  await there.write([{ bytes: plain }])
  await world.calm()
  expect(here.operations().size).toBe(2)
  const records = [
    ...mallory.store.data.records.values(),
    ...[...mallory.store.data.logs.values()].flat().map((entry) => entry.bytes),
  ]
  const keys = [...mallory.store.data.records.keys(), ...mallory.store.data.logs.keys()].map(text)
  const seen = Buffer.concat([...records, ...heard, ...keys])
  const needles = [
    plain,
    text(secret.id),
    text(documentKey(secret)),
    Buffer.from(documentKey(secret), 'hex'),
    ...world.scopes.secrets.slice(1),
  ]
  expect(seen.byteLength).toBeGreaterThan(0)
  for (const needle of needles) expect(seen.includes(Buffer.from(needle))).toBe(false)
  // the scan would find it where it may be
  const own = Buffer.concat([...alice.store.data.records.values()])
  expect(own.includes(Buffer.from(text(secret.id)))).toBe(true)
  await world.stop()
})

test('rights that end stop the flow, and history outlives its author', async () => {
  const world = await createSyncWorld('revoked', 4, { online: false })
  const [alice, bob, carol, dave] = world.peers as [SyncPeer, SyncPeer, SyncPeer, SyncPeer]
  world.network.partition([alice.documents.self, bob.documents.self, carol.documents.self])
  for (const peer of [alice, bob, carol]) peer.syncer.start()
  const documents = await openAll(world)
  await (documents[1] as Document).write([{ bytes: text('by bob, before') }])
  await world.calm()
  world.scopes.revoke(bob.documents.self, 'mesh')
  await world.scopes.rotate('mesh')
  await (documents[0] as Document).write([{ bytes: text('after') }])
  await expect((documents[1] as Document).write([{ bytes: text('too late') }])).rejects.toMatchObject({
    code: 'unauthorized',
  })
  await world.calm()
  expect((documents[1] as Document).operations().size).toBe(1)
  expect((documents[2] as Document).operations().size).toBe(2)
  // dave comes later: bob's words reach him through carol
  world.scopes.share(dave.documents.self, 'mesh')
  world.network.partition([carol.documents.self, dave.documents.self])
  dave.syncer.start()
  await world.calm()
  expect((documents[3] as Document).operations().size).toBe(2)
  await world.stop()
})

test('presence is heard by those who may read, at most five a second, and gone after 30 s', async () => {
  const world = await createSyncWorld('presence', 2)
  const [alice, bob] = world.peers as [SyncPeer, SyncPeer]
  await openAll(world)
  await (await alice.open(ROOM)).write([{ bytes: text('a document to be in') }])
  await world.calm()
  let heard = 0
  bob.syncer.presence.heard.subscribe(() => (heard += 1))
  for (let index = 0; index < 50; index++) {
    alice.syncer.presence.set(ROOM, text(`typing ${String(index)}`))
    await world.clock.advanceAsync(10)
    await world.calm()
  }
  await world.clock.advanceAsync(400)
  await world.calm()
  expect(heard).toBeGreaterThan(1)
  expect(heard).toBeLessThanOrEqual(6)
  expect(bob.syncer.presence.others(ROOM).get(alice.documents.self)?.bytes).toEqual(text('typing 49'))
  await alice.stop()
  await world.clock.advanceAsync(31_000)
  expect(bob.syncer.presence.others(ROOM).size).toBe(0)
  expect(() => alice.syncer.presence.set(ROOM, new Uint8Array(1_025))).toThrow(/at most/)
  await world.stop()
})

test('a document offered before its reader knows of its right to it is taken once it does', async () => {
  const world = await createSyncWorld('early offer', 2, { online: false })
  const [alice, bob] = world.peers as [SyncPeer, SyncPeer]
  const { writers } = bob.ports
  let knows = false
  const lagging = {
    ...writers,
    mayRead: (...asked: Parameters<typeof writers.mayRead>) => knows && writers.mayRead(...asked),
    mayStore: (...asked: Parameters<typeof writers.mayStore>) => knows && writers.mayStore(...asked),
  }
  Object.assign(bob.ports, { writers: lagging })
  const again = await world.restart(1, { online: true })
  alice.syncer.start()
  await (await alice.open(ROOM)).write([{ bytes: text('hello') }])
  await world.calm()
  expect(again.documents.list()).toEqual([])
  knows = true
  world.scopes.changes.emit()
  await world.calm()
  expect(stateOf(await again.open(ROOM))).toEqual(stateOf(await alice.open(ROOM)))
  await world.stop()
})
