import { afterEach, expect, test } from 'vitest'
import {
  SYNC_DOCUMENTS_PER_PERSON_MAX,
  SYNC_OFFER_MAX,
  SYNC_PROSPECTS_MAX,
  type RoomId,
} from '../../mesh/base/index.ts'
import { documentKey, type DocumentName } from '../../mesh/sync/index.ts'
import type { FrameStream } from '../../mesh/net/stream.ts'
import { encode, fromHex } from '../../mesh/wire/index.ts'
import { createMemoryStore, type MemoryStore } from '../kit/memory-store.ts'
import { startPeer, type TestPeer } from '../kit/peers.ts'
import { readFrame } from '../kit/raw-node.ts'
import { startSyncAttacker, type SyncAttacker } from '../kit/sync-attacker.ts'
import { until } from '../kit/wait.ts'

// What a device with software of its own can make others keep, and what it costs them.

const running: { stop(): unknown }[] = []
afterEach(async () => {
  for (const one of running.splice(0)) await one.stop()
})

async function scene(
  role: Parameters<typeof startSyncAttacker>[1],
): Promise<{ alice: TestPeer; mallory: SyncAttacker; writtenBytes(prefix: string): number }> {
  const { store, writtenBytes } = countingStore()
  const alice = await startPeer('Alice', { store })
  running.push(alice)
  const mallory = await startSyncAttacker(alice, role)
  running.unshift(mallory)
  return { alice, mallory, writtenBytes }
}

/** A store that knows how many bytes were ever written below a prefix. */
function countingStore(): { store: MemoryStore; writtenBytes(prefix: string): number } {
  const inner = createMemoryStore()
  const writes: { readonly key: string; readonly bytes: number }[] = []
  const store: MemoryStore = Object.assign(Object.create(inner) as MemoryStore, {
    put(...[key, value, options]: Parameters<MemoryStore['put']>) {
      writes.push({ key, bytes: value.byteLength })
      return inner.put(key, value, options)
    },
    append(...[log, entries, options]: Parameters<MemoryStore['append']>) {
      writes.push({ key: log, bytes: entries.reduce((sum, one) => sum + one.byteLength, 0) })
      return inner.append(log, entries, options)
    },
  })
  return {
    store,
    writtenBytes: (prefix) =>
      writes.filter(({ key }) => key.startsWith(prefix)).reduce((sum, { bytes }) => sum + bytes, 0),
  }
}

const digest = new Uint8Array(16).fill(7)
const recordsOf = (peer: TestPeer): number =>
  [...peer.store.data.records.keys()].filter((key) => key.startsWith('sync/')).length
const sizeOf = (peer: TestPeer, prefix: string): number => {
  const { records, logs } = peer.store.data
  const ofRecords = [...records].filter(([key]) => key.startsWith(prefix)).map(([, value]) => value.byteLength)
  const ofLogs = [...logs]
    .filter(([key]) => key.startsWith(prefix))
    .flatMap(([, all]) => all.map(({ bytes }) => bytes.byteLength))
  return [...ofRecords, ...ofLogs].reduce((sum, bytes) => sum + bytes, 0)
}

async function makesRoom(alice: TestPeer): Promise<RoomId> {
  const room = await alice.mesh.rooms.rooms.create({ name: 'Ours', people: [], history: 'all' })
  await alice.mesh.rooms.rooms.say(room, 'Still here.')
  return room
}

test.each(['helper-only', 'member'] as const)(
  'a %s that offers more documents than there may be leaves nothing behind, and its victim makes rooms as before',
  async (role) => {
    const { alice, mallory } = await scene(role)
    const { person } = personOf(alice)
    const before = recordsOf(alice)
    const source = await mallory.source()
    const prefix = `chat-${mallory.mesh.slice(0, 12)}-`
    const kinds = [
      { id: 'flood-', scope: 'mesh' },
      { id: prefix, scope: `person:${person}` },
      { id: prefix, scope: `room:${'0'.repeat(32)}` },
    ] as const
    const wants: string[] = []
    void countWants(source, wants)
    for (let start = 0; start < SYNC_DOCUMENTS_PER_PERSON_MAX + SYNC_OFFER_MAX; start += SYNC_OFFER_MAX) {
      const offers = Array.from({ length: SYNC_OFFER_MAX }, (_, index) => {
        const { id, scope } = kinds[index % 3] ?? kinds[0]
        return { name: { id: `${id}${String(start + index)}`, kind: 'operations', scope }, digest }
      })
      await source.write({ type: 'offers', offers })
    }
    const room = await makesRoom(alice)
    await until(() => alice.mesh.rooms.rooms.list().some(({ id }) => id === room), {
      what: 'the room',
      timeoutMs: 60_000,
    })
    // what there may be is asked for, so many at once; nothing came of any
    await until(() => wants.length >= SYNC_PROSPECTS_MAX, { what: 'the offers to be taken in', timeoutMs: 60_000 })
    expect(wants).toHaveLength(SYNC_PROSPECTS_MAX)
    expect(wants.every((id) => id.startsWith(prefix))).toBe(true)
    expect(recordsOf(alice) - before).toBeLessThan(32)
    await alice.mesh.remove(mallory.raw.id)
    await makesRoom(alice)
  },
  120_000,
)

async function countWants(stream: FrameStream, wants: string[]): Promise<void> {
  try {
    for (;;) {
      const frame = await readFrame(stream, 60_000)
      if (frame['type'] === 'want') wants.push((frame['name'] as DocumentName).id)
    }
  } catch {
    // the stream is over
  }
}

test('what an earlier version wrote down for offers alone is gone after a start, and what holds something stays', async () => {
  const alice = await startPeer('Alice')
  const room = await makesRoom(alice)
  const { person } = personOf(alice)
  await alice.stop()
  const kept = [...alice.store.data.records].find(([key]) => key.startsWith('sync/name/'))
  if (kept === undefined) throw new TypeError('the room has a document')
  // as an earlier version named it
  alice.store.data.records.set(kept[0], encode(nameOfRoom(room)))
  for (let index = 0; index < 2_000; index++) {
    const name = {
      id: `flood-${String(index)}`,
      kind: 'operations',
      scope: `person:${person}`,
    } as unknown as DocumentName
    alice.store.data.records.set(`sync/name/${documentKey(name)}`, encode(name))
  }
  const have = `sync/have/${documentKey(nameOfRoom(room))}`
  const chains = Array.from({ length: 60_000 }, (_, index) => [index + 1, 1])
  alice.store.data.records.set(have, encode([[alice.mesh.self, chains]]))
  const again = await startPeer('Alice', { store: alice.store })
  running.push(again)
  const named = (): number => [...again.store.data.records.keys()].filter((key) => key.startsWith('sync/name/')).length
  await until(() => named() === 1, { what: 'the empty documents to be gone', timeoutMs: 60_000 })
  await again.mesh.rooms.rooms.open(room)
  const texts = (again.mesh.rooms.rooms.get(room)?.items ?? []).flatMap((item) =>
    item.kind === 'message' ? [item.text] : [],
  )
  expect(texts).toEqual(['Still here.'])
  await until(() => sizeOf(again, 'sync/have/') < 2_000, {
    what: 'what was said of no chain to be gone',
    timeoutMs: 60_000,
  })
}, 120_000)

const nameOfRoom = (room: RoomId): DocumentName =>
  ({ id: room, kind: 'operations', scope: `room:${room}` }) as unknown as DocumentName

function personOf(peer: TestPeer): { person: string } {
  return { person: peer.mesh.people().find(({ own }) => own)?.id ?? '' }
}

test('what a device says that it holds costs bytes in proportion, and chains that do not exist cost none', async () => {
  const { alice, mallory, writtenBytes } = await scene('helper-only')
  const room = await makesRoom(alice)
  const name = nameOfRoom(room)
  const stream = await mallory.take()
  const many = (from: number): [number, number][] => Array.from({ length: 60_000 }, (_, index) => [from + index, 1])
  await stream.write({ type: 'want', name, vector: many(1) })
  let toldBytes = 0
  let worst = 0
  for (let round = 0; round < 50; round++) {
    toldBytes += await stream.write({
      type: 'have',
      document: fromHex(documentKey(name)),
      vector: [[1_000_000 + round, 1]],
    })
    worst = Math.max(worst, sizeOf(alice, 'sync/have/'))
  }
  // answered after all of that was taken in
  await stream.write({ type: 'want', name, vector: [] })
  let complete = 0
  while (complete < 2) if ((await readFrame(stream))['type'] === 'complete') complete += 1
  expect(toldBytes).toBeLessThan(10_000)
  expect(writtenBytes('sync/have/')).toBeLessThan(2_000)
  expect(worst).toBeLessThan(2_000)
}, 120_000)
