import { expect, test } from 'vitest'
import { MeshError, messageOf, randomInt, type Random } from '../../mesh/base/index.ts'
import type { Document } from '../../mesh/sync/index.ts'
import { createProgress, type Progress } from '../../mesh/sync/serving.ts'
import { createSyncWorld, pick, ROOM, stateOf, type SyncPeer, type SyncWorld } from '../kit/sync-world.ts'

const IS_FULL = process.env['PLEXUS_TEST_FULL'] === '1'
const SEEDS = IS_FULL ? 1_000 : 10
const OPERATIONS = 1_000
const PEERS = 5

/** Envelopes on their way, in no order at all. */
interface Flight {
  readonly from: SyncPeer
  readonly to: number
  readonly bytes: Uint8Array
}

async function writeSome(random: Random, document: Document, left: number): Promise<number> {
  const count = Math.min(left, 1 + randomInt(random, 60))
  await document.write(Array.from({ length: count }, () => ({ bytes: random.bytes(1 + randomInt(random, 40)) })))
  return count
}

async function eraseSome(random: Random, peer: SyncPeer, document: Document): Promise<void> {
  const own = [...document.operations()].filter(([, { author }]) => author === peer.documents.self).map(([id]) => id)
  if (own.length > 0) await document.erase([pick(random, own), pick(random, own)])
}

/** What a peer has that it has not sent to another yet. */
async function send(peer: SyncPeer, to: number, progress: Progress): Promise<Flight[]> {
  const replica = await peer.documents.adopt(ROOM, {})
  const flights: Flight[] = []
  for (;;) {
    const { envelopes, more } = await replica.next(progress, {})
    flights.push(...envelopes.map((bytes) => ({ from: peer, to, bytes })))
    if (!more) return flights
  }
}

async function deliver(world: SyncWorld, { from, to, bytes }: Flight): Promise<void> {
  const replica = await (world.peers[to] as SyncPeer).documents.adopt(ROOM, {})
  await replica.receive([bytes], from.documents.self, {})
}

/** Everybody with everybody until nothing is missing. */
async function settleAll(world: SyncWorld): Promise<void> {
  for (const from of world.peers) {
    for (const to of world.peers) {
      if (from === to) continue
      const target = await to.documents.adopt(ROOM, {})
      for (const flight of await send(from, to.index, createProgress(target.vector()))) await deliver(world, flight)
    }
  }
}

async function expectSame(world: SyncWorld): Promise<void> {
  const states = await Promise.all(world.peers.map(async (peer) => JSON.stringify(stateOf(await peer.open(ROOM)))))
  const digests = await Promise.all(world.peers.map(async (peer) => (await peer.documents.adopt(ROOM, {})).digest()))
  expect(new Set(digests).size).toBe(1)
  // by text: a deep comparison of thousands takes longer than the history
  expect(states.every((state) => state === states[0])).toBe(true)
}

async function history(seed: number): Promise<void> {
  const world = await createSyncWorld(seed, PEERS, { online: false })
  const { random } = world
  const documents = await Promise.all(world.peers.map((peer) => peer.open(ROOM)))
  const left = world.peers.map(() => OPERATIONS)
  const sent = new Map<string, Progress>()
  const air: Flight[] = []
  let isCut = (_from: number, _to: number): boolean => false

  while (left.some((count) => count > 0)) {
    const index = randomInt(random, PEERS)
    const peer = world.peers[index] as SyncPeer
    const document = documents[index] as Document
    left[index] = (left[index] ?? 0) - (await writeSome(random, document, left[index] ?? 0))
    if (randomInt(random, 6) === 0) await eraseSome(random, peer, document)
    world.clock.advance(randomInt(random, 5_000))

    for (let to = 0; to < PEERS; to++) {
      if (to === index || isCut(index, to)) continue
      const name = `${String(index)}>${String(to)}`
      const cursor = sent.get(name) ?? createProgress([])
      sent.set(name, cursor)
      for (const flight of await send(peer, to, cursor)) {
        if (randomInt(random, 8) > 0) air.push(flight)
        if (randomInt(random, 10) === 0) air.push(flight)
      }
    }
    for (let count = randomInt(random, 12); count > 0 && air.length > 0; count--) {
      const [flight] = air.splice(randomInt(random, air.length), 1)
      if (flight !== undefined) await deliver(world, flight)
    }
    const chance = randomInt(random, 40)
    if (chance === 0) isCut = (from, to) => from < 2 !== to < 2
    if (chance === 1) isCut = () => false
    if (chance === 2) isCut = (from, to) => from === 0 && to > 0
    if (chance === 3) await (await peer.documents.adopt(ROOM, {})).compact({})
    if (chance === 4) documents[index] = await (await world.restart(index)).open(ROOM)
    if (chance === 5) await world.scopes.rotate('mesh')
  }
  for (const flight of air) await deliver(world, flight)
  await settleAll(world)
  expect((documents[0] as Document).operations().size).toBeGreaterThan(OPERATIONS)
  expect(world.peers.flatMap((peer) => peer.documents.quarantined())).toEqual([])
  await expectSame(world)
  for (const peer of world.peers) await (await peer.documents.adopt(ROOM, {})).compact({})
  for (let index = 0; index < PEERS; index++) await world.restart(index)
  await expectSame(world)
  await world.stop()
}

test(
  `five devices that write, erase, lose, repeat, reorder, part and restart end with the same (${String(SEEDS)} seeds)`,
  async () => {
    for (let seed = 1; seed <= SEEDS; seed++) {
      await history(seed).catch((error: unknown) => {
        throw new MeshError('bug', `seed ${String(seed)}: ${messageOf(error)}`, { cause: error })
      })
    }
  },
  IS_FULL ? 10_800_000 : 600_000,
)
