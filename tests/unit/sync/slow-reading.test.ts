import { afterEach, expect, test } from 'vitest'
import {
  MeshError,
  SYNC_DECODE_AGAIN_MS,
  SYNC_DECODE_SLOW_ALL_MAX,
  SYNC_DECODE_SLOW_MAX,
  throwIfAborted,
  type DeviceId,
} from '../../../mesh/base/index.ts'
import { documentKey } from '../../../mesh/sync/envelope.ts'
import type { Document } from '../../../mesh/sync/index.ts'
import { createTurns } from '../../../mesh/sync/turns.ts'
import { createSyncWorld, ROOM, type SyncPeer, type SyncWorld } from '../../kit/sync-world.ts'

// What kills the decoder: a machine that is out of breath, or an author who wants just that.

let world: SyncWorld | undefined
afterEach(async () => {
  await world?.stop()
})

const shown = (document: Document): number[] =>
  [...document.operations().values()].map(({ bytes }) => bytes[0] ?? 0).sort((a, b) => a - b)

/** Two devices, on the second of which the room is closed; it holds what the first wrote. */
async function written(words: readonly number[]): Promise<[SyncPeer, SyncPeer]> {
  world = await createSyncWorld(`slow ${String(words.length)}`, 2)
  const [alice, bob] = world.peers as [SyncPeer, SyncPeer]
  const room = await alice.open(ROOM)
  for (const word of words) await room.write([{ bytes: Uint8Array.of(word) }])
  await world.calm()
  return [alice, bob]
}

test.each(['timeout', 'too-large'] as const)(
  'a word that could not be read once (%s) is shown at the next opening, also after a snapshot',
  async (code) => {
    const [, bob] = await written([1, 2, 3, 4, 5])
    const { decoder } = bob.ports
    const decode = decoder.decode.bind(decoder)
    let count = 0
    decoder.decode = (update, options) => {
      count += 1
      return count === 3 ? Promise.reject(new MeshError(code, 'Out of breath.')) : decode(update, options)
    }
    const slow = await bob.open(ROOM)
    expect(shown(slow)).toEqual([1, 2])
    decoder.decode = decode
    await (await bob.documents.replica(documentKey(ROOM), {}))?.compact({})
    slow.close()
    const again = await world?.restart(1)
    if (again === undefined) throw new TypeError('There is no such device.')
    expect(shown(await again.open(ROOM))).toEqual([1, 2, 3, 4, 5])
    expect(again.documents.quarantined()).toEqual([])
  },
)

test('an author whose updates kill the decoder holds up an opening for few of them, and nobody is cut off for it', async () => {
  const [alice, bob] = await written(Array.from({ length: 60 }, (_, index) => index))
  let killed = 0
  const { decoder } = bob.ports
  const decode = decoder.decode.bind(decoder)
  const turns = createTurns()
  decoder.decode = (_update, { signal } = {}) =>
    turns.run(() => {
      throwIfAborted(signal)
      killed += 1
      throw new MeshError('timeout', 'An update took longer than 500 ms.')
    })
  const room = await bob.open(ROOM)
  expect(shown(room)).toEqual([])
  // the next may be under way when one is told
  expect(killed).toBeLessThanOrEqual(SYNC_DECODE_SLOW_MAX + 1)
  const atOpening = killed
  const more = await alice.open(ROOM)
  for (let word = 60; word < 70; word++) await more.write([{ bytes: Uint8Array.of(word) }])
  await world?.calm()
  expect(killed).toBe(atOpening)
  expect(bob.documents.quarantined()).toEqual([])
  decoder.decode = decode
  room.close()
  expect(shown(await bob.open(ROOM))).toHaveLength(70)
})

test('a word that could not be read when it came is shown in a room that stays open, once the machine is quieter', async () => {
  const [alice, bob] = await written([1])
  const words = await alice.open(ROOM)
  const room = await bob.open(ROOM)
  const { decoder } = bob.ports
  const decode = decoder.decode.bind(decoder)
  decoder.decode = () => Promise.reject(new MeshError('timeout', 'Out of breath.'))
  for (const word of [2, 3, 4]) await words.write([{ bytes: Uint8Array.of(word) }])
  await world?.calm()
  expect(shown(room)).toEqual([1])
  world?.clock.advance(SYNC_DECODE_AGAIN_MS)
  await world?.calm()
  expect(shown(room)).toEqual([1])
  decoder.decode = decode
  world?.clock.advance(SYNC_DECODE_AGAIN_MS)
  await world?.calm()
  expect(shown(room)).toEqual([1])
  world?.clock.advance(SYNC_DECODE_AGAIN_MS)
  await world?.calm()
  expect(shown(room)).toEqual([1, 2, 3, 4])
})

const KILLS = Buffer.of(0xde, 0xad, 0xbe, 0xef)

/** Bob, and others of whom each wrote what kills the decoder of Bob, or a word; whose they are. */
async function killers(people: readonly string[], words: ReadonlySet<number>) {
  world = await createSyncWorld(`killers ${people.join()}`, people.length + 1)
  const [bob, ...others] = world.peers as [SyncPeer, ...SyncPeer[]]
  const personOf = new Map<DeviceId, string>(others.map(({ ports }, index) => [ports.signer.id, people[index] ?? '']))
  for (const { ports } of world.peers)
    Object.assign(ports.writers, { personOf: (one: DeviceId) => personOf.get(one) ?? one })
  for (const [index, one] of others.entries()) {
    if (words.has(index)) await world.calm()
    const room = await one.open(ROOM)
    const what = words.has(index) ? [Uint8Array.of(index)] : [KILLS, KILLS]
    for (const bytes of what) await room.write([{ bytes }])
    room.close()
  }
  await world.calm()
  let killed = 0
  const { decoder } = bob.ports
  const decode = decoder.decode.bind(decoder)
  const turns = createTurns()
  decoder.decode = (update, { signal } = {}) =>
    turns.run(async () => {
      throwIfAborted(signal)
      if (!Buffer.from(update).includes(KILLS)) return decode(update)
      // what is ended on the way costs nothing
      for (let step = 0; step < 50; step++) await Promise.resolve()
      throwIfAborted(signal)
      killed += 1
      throw new MeshError('timeout', 'An update took longer than 500 ms.')
    })
  const killedSince = (): number => {
    const since = killed
    killed = 0
    return since
  }
  return { bob, killedSince }
}

test('a person holds up an opening for few updates, however many devices wrote them, and soon not the one that never did', async () => {
  const DEVICES = 6
  const people = Array.from({ length: DEVICES + 1 }, () => 'mallory')
  const { bob, killedSince } = await killers(people, new Set([DEVICES]))
  const room = await bob.open(ROOM)
  const kills = [killedSince()]
  for (let tried = 0; tried < DEVICES / 2; tried++) {
    world?.clock.advance(SYNC_DECODE_AGAIN_MS)
    await world?.calm()
    kills.push(killedSince())
  }
  expect(shown(room)).toEqual([DEVICES])
  room.close()
  expect(shown(await bob.open(ROOM))).toEqual([DEVICES])
  expect(Math.max(...kills, killedSince())).toBeLessThanOrEqual(SYNC_DECODE_SLOW_MAX)
})

test('all who wrote such hold up an opening, and each try, for few of them together, and nobody else waits', async () => {
  const people = Array.from({ length: SYNC_DECODE_SLOW_ALL_MAX + 3 }, (_, index) => `person ${String(index)}`)
  const { bob, killedSince } = await killers(people, new Set([0, people.length - 1]))
  const kills: number[] = []
  for (let opening = 0; opening < 2; opening++) {
    const room = await bob.open(ROOM)
    expect(shown(room)).toEqual([0, people.length - 1])
    const atOpening = killedSince()
    world?.clock.advance(SYNC_DECODE_AGAIN_MS)
    await world?.calm()
    kills.push(atOpening, killedSince())
    room.close()
  }
  // the first time each of them is somebody of whom nothing is known
  expect(kills.shift()).toBeLessThanOrEqual(people.length - 2)
  expect(Math.max(...kills)).toBeLessThanOrEqual(SYNC_DECODE_SLOW_ALL_MAX)
})

test('what is held up has little read at each opening, and nothing when the ledger changes', async () => {
  const { bob } = await killers(['mallory', 'alice'], new Set([1]))
  const WORDS = 64
  const room = await (world?.peers[2] as SyncPeer).open(ROOM)
  for (let word = 0; word < WORDS; word++) await room.write([{ bytes: Uint8Array.of(1) }])
  await world?.calm()
  const first = await bob.open(ROOM)
  await (await bob.documents.replica(documentKey(ROOM), {}))?.compact({})
  first.close()
  let read = 0
  const { store } = bob.ports
  const readLog = store.readLog.bind(store)
  store.readLog = async (...given) => {
    const entries = await readLog(...given)
    if (given[0].includes('/log-')) read += entries.length
    return entries
  }
  const again = await bob.open(ROOM)
  expect(shown(again)).toHaveLength(WORDS + 1)
  // the chain that is held up
  expect(read).toBeLessThanOrEqual(2)
  read = 0
  world?.scopes.changes.emit()
  await world?.calm()
  expect(read).toBe(0)
})
