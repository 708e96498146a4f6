import { afterEach, expect, test } from 'vitest'
import { MeshError, SYNC_DECODE_AGAIN_MS, SYNC_DECODE_SLOW_MAX, throwIfAborted } from '../../../mesh/base/index.ts'
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
