import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import * as Y from 'yjs'
import { systemClock } from '../../helper/ports/clock.ts'
import { createThreadDecoder } from '../../helper/ports/thread-decoder.ts'
import { silentLogger } from '../../mesh/base/index.ts'
import type { Decoder, Document } from '../../mesh/sync/index.ts'
import { createProgress } from '../../mesh/sync/serving.ts'
import { bundle } from '../kit/bundle.ts'
import { forge, type Forged } from '../kit/sync-forge.ts'
import { createSyncWorld, ROOM, type SyncPeer, type SyncWorld } from '../kit/sync-world.ts'

const bytes = new Uint8Array(20).fill(1)
let decoder: Decoder
beforeAll(async () => {
  decoder = createThreadDecoder(
    { clock: systemClock, log: silentLogger },
    await bundle('helper/ports/decode-worker.ts'),
  )
  // what is compiled at first use is not what is measured
  const stage = await scene()
  await stage.send({ make: (chain) => ({ update: honest(chain) }) })
  await stage.world.stop()
})
afterAll(() => decoder.close())

/** Alice is attacked, bob is honest, mallory is a member who signs whatever she likes. */
async function scene(): Promise<{
  world: SyncWorld
  alice: SyncPeer
  bob: SyncPeer
  mallory: SyncPeer
  document: Document
  send(forged: Forged, via?: SyncPeer): Promise<unknown>
  worstStepMs(): number
}> {
  const world = await createSyncWorld('hostile', 3, { online: false, decoder })
  const [alice, bob, mallory] = world.peers as [SyncPeer, SyncPeer, SyncPeer]
  const document = await alice.open(ROOM)
  const replica = await alice.documents.adopt(ROOM, {})
  let worstMs = 0
  return {
    world,
    alice,
    bob,
    mallory,
    document,
    worstStepMs: () => worstMs,
    async send(forged, via = mallory) {
      const envelopes = await forge(forged, mallory.ports)
      let last = performance.now()
      let watching = true
      const watch = (): void => {
        const now = performance.now()
        worstMs = Math.max(worstMs, now - last)
        last = now
        if (watching) setImmediate(watch)
      }
      setImmediate(watch)
      try {
        return await replica.receive(envelopes, via.documents.self, {})
      } finally {
        watching = false
      }
    },
  }
}

async function honestWordGetsThrough({ bob, alice, document }: Awaited<ReturnType<typeof scene>>): Promise<void> {
  const before = document.operations().size
  await (await bob.open(ROOM)).write([{ bytes }])
  const source = await bob.documents.adopt(ROOM, {})
  const { envelopes } = await source.next(createProgress([]), {})
  await (await alice.documents.adopt(ROOM, {})).receive(envelopes, bob.documents.self, {})
  expect(document.operations().size).toBe(before + 1)
}

/** Updates a member may make with Yjs, or by hand, and may not send. */
const UPDATES: Readonly<Record<string, (chain: number) => Forged>> = {
  'text in a document of operations': (chain) => ({
    update: withYjs(chain, (doc) => doc.getText('ops').insert(0, 'x')),
  }),
  'another root': (chain) => ({ update: withYjs(chain, (doc) => doc.getMap('other').set(key(chain, 0), bytes)) }),
  'a key that is not its own': (chain) => ({ update: withYjs(chain, (doc) => doc.getMap('ops').set('1-0', bytes)) }),
  'a nested document': (chain) => ({
    update: withYjs(chain, (doc) => doc.getMap('ops').set(key(chain, 0), new Y.Doc())),
  }),
  'nested maps': (chain) => ({ update: withYjs(chain, (doc) => doc.getMap('ops').set(key(chain, 0), new Y.Map())) }),
  'JSON instead of bytes': (chain) => ({
    update: withYjs(chain, (doc) => doc.getMap('ops').set(key(chain, 0), { a: 1 })),
  }),
  'another chain inside': () => ({ update: withYjs(77, (doc) => doc.getMap('ops').set(key(77, 0), bytes)) }),
  'a hidden deletion': (chain) => ({
    update: withYjs(chain, (doc) => {
      doc.getMap('ops').set(key(chain, 0), bytes)
      doc.getMap('ops').delete(key(chain, 0))
    }),
  }),
  'more entries than it says': (chain) => ({
    update: withYjs(chain, (doc) => {
      doc.transact(() => {
        for (let index = 0; index < 3; index++) doc.getMap('ops').set(key(chain, index), bytes)
      })
    }),
    count: 1,
  }),
  'a clock far ahead': (chain) => ({
    update: withYjs(chain, (doc) => doc.getMap('ops').set(key(chain, 0), bytes)),
    from: 2 ** 40,
  }),
  'very many keys': (chain) => ({
    update: withYjs(chain, (doc) => {
      doc.transact(() => {
        for (let index = 0; index < 15_000; index++) doc.getMap('ops').set(key(chain, index), new Uint8Array())
      })
    }),
    count: 256,
  }),
  'version 2 of the format': (chain) => {
    const doc = new Y.Doc()
    doc.clientID = chain
    doc.getMap('ops').set(key(chain, 0), bytes)
    return { update: Y.encodeStateAsUpdateV2(doc) }
  },
  'a few bytes that declare billions': () => ({ update: new Uint8Array([1, 255, 255, 255, 255, 15, 1, 0, 1]) }),
  'nothing at all': () => ({ update: new Uint8Array() }),
  'random bytes': () => ({ update: new Uint8Array(1_000).map((_, index) => (index * 37 + 11) & 255) }),
  'a box that does not open': (chain) => ({ update: honest(chain), isBoxBroken: true }),
}

/** The least of three tries: what a busy machine took is not what the bytes take. */
async function worstStepMs(update: NonNullable<Forged['make']>, firstMs: number): Promise<number> {
  let leastMs = firstMs
  for (let tries = 0; tries < 2 && leastMs >= 50; tries++) {
    const stage = await scene()
    await stage.send({ make: update })
    leastMs = Math.min(leastMs, stage.worstStepMs())
    await stage.world.stop()
  }
  return leastMs
}

const key = (chain: number, clock: number): string => `${chain.toString(36)}-${clock.toString(36)}`

function withYjs(chain: number, work: (doc: Y.Doc) => unknown): Uint8Array {
  const doc = new Y.Doc()
  doc.clientID = chain
  work(doc)
  return Y.encodeStateAsUpdate(doc)
}

const honest = (chain: number): Uint8Array => withYjs(chain, (doc) => doc.getMap('ops').set(key(chain, 0), bytes))

describe('a member who sends what breaks the rules is cut off for that document, and nobody else is', () => {
  for (const [name, update] of Object.entries(UPDATES)) {
    test(name, async () => {
      const stage = await scene()
      const { alice, bob, mallory, world, document } = stage
      await stage.send({ make: update })
      expect(alice.documents.quarantined().map(({ author }) => author)).toEqual([mallory.documents.self])
      expect(document.operations().size).toBe(0)
      expect(await worstStepMs(update, stage.worstStepMs())).toBeLessThan(50)
      await honestWordGetsThrough(stage)
      // from then on nothing of hers is looked at, whoever brings it, also after a restart
      expect(await stage.send({ make: (chain) => ({ update: honest(chain) }) }, bob)).toMatchObject({ refused: 1 })
      const again = await world.restart(0)
      expect(again.documents.quarantined().length).toBe(1)
      await again.documents.lift(ROOM, mallory.documents.self)
      const replica = await again.documents.adopt(ROOM, {})
      const open = await again.open(ROOM)
      await replica.receive(
        await forge({ make: (chain) => ({ update: honest(chain) }) }, mallory.ports),
        mallory.documents.self,
        {},
      )
      expect(open.operations().size).toBe(2)
      await world.stop()
    })
  }
})

test('a member cannot erase what another wrote', async () => {
  const stage = await scene()
  await honestWordGetsThrough(stage)
  const [chain = 0] = stage.document.vector().keys()
  await stage.send({
    make: () => ({ update: withYjs(1, () => undefined), count: 0, erases: [{ chain, clock: 0, count: 1 }] }),
  })
  expect(stage.document.operations().size).toBe(1)
  expect(stage.alice.documents.quarantined().map(({ author }) => author)).toEqual([stage.mallory.documents.self])
  await stage.world.stop()
})

test('a member who signs two different envelopes for one place is found out', async () => {
  const stage = await scene()
  const run = new Uint8Array(16).fill(5)
  await stage.send({ make: (chain) => ({ update: honest(chain) }), run })
  const other = new Uint8Array(20).fill(2)
  await stage.send({
    make: (chain) => ({ update: withYjs(chain, (doc) => doc.getMap('ops').set(key(chain, 0), other)) }),
    run,
  })
  expect(stage.alice.documents.quarantined().length).toBe(1)
  expect([...stage.document.operations().values()].map((one) => one.bytes)).toEqual([bytes])
  await stage.world.stop()
})

test('a forged signature costs its sender the stream and the named author nothing', async () => {
  const stage = await scene()
  const [envelope] = await forge({ make: (chain) => ({ update: honest(chain) }) }, stage.mallory.ports)
  const forged = (envelope as Uint8Array).slice()
  forged[forged.length - 1] = (forged[forged.length - 1] ?? 0) ^ 1
  const replica = await stage.alice.documents.adopt(ROOM, {})
  await expect(replica.receive([forged], stage.bob.documents.self, {})).rejects.toMatchObject({ code: 'integrity' })
  expect(stage.alice.documents.quarantined()).toEqual([])
  expect(stage.document.operations().size).toBe(0)
  await stage.world.stop()
})

test('a head without its content is believed only with its author’s word that it was erased', async () => {
  const stage = await scene()
  const { alice, bob, document, world } = stage
  const written = await (await bob.open(ROOM)).write([{ bytes }])
  const source = await bob.documents.adopt(ROOM, {})
  const { envelopes } = await source.next(createProgress([]), {})
  const { hollow, readEnvelope } = await import('../../mesh/sync/envelope.ts')
  const replica = await alice.documents.adopt(ROOM, {})
  const received = await replica.receive(
    [hollow(readEnvelope(envelopes[0] as Uint8Array)).bytes],
    stage.mallory.documents.self,
    {},
  )
  expect(received).toMatchObject({ waiting: 1, refused: 0 })
  await replica.receive(envelopes, bob.documents.self, {})
  expect([...document.operations().keys()]).toEqual(written)
  await world.stop()
})

test('a flood of envelopes that wait for others stays within its bounds', async () => {
  const stage = await scene()
  const heapBefore = process.memoryUsage().heapUsed
  for (let index = 0; index < 400; index++) {
    await stage.send({
      make: () => ({ update: new Uint8Array(5_000) }),
      sequence: 1_000 + index,
      run: new Uint8Array(16).fill(9),
    })
  }
  expect(process.memoryUsage().heapUsed - heapBefore).toBeLessThan(32 * 1024 * 1024)
  await honestWordGetsThrough(stage)
  await stage.world.stop()
}, 120_000)
