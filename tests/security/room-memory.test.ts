import { afterEach, expect, test } from 'vitest'
import { SYNC_BUDGET_OPERATION_BYTES } from '../../mesh/base/index.ts'
import { roomOfMember, startPeer } from '../kit/peers.ts'
import { until } from '../kit/wait.ts'

// What a member writes takes memory where its room is open. A device tells how much before it opens it,
// so that a page need not open what somebody else filled.

const running: { stop(): unknown }[] = []
afterEach(async () => {
  for (const one of running.splice(0)) await one.stop()
})

test('what a room takes in memory is told without opening it, from the moment it comes, and also after a restart', async () => {
  const alice = await startPeer('Alice')
  running.push(alice)
  const mallory = await startPeer('Mallory')
  running.push(mallory)
  const room = await roomOfMember(mallory, alice)
  const theirs = mallory.mesh.rooms.rooms
  const said = await Promise.all(Array.from({ length: 50 }, (_, count) => theirs.say(room, `line ${String(count)}`)))
  const rooms = alice.mesh.rooms.rooms
  const weightOf = async (count: number): Promise<number> => {
    // a message is its place and its text
    const least = 2 * count * SYNC_BUDGET_OPERATION_BYTES
    await until(async () => (await rooms.weigh(room)) >= least, { what: 'the messages to come' })
    return rooms.weigh(room)
  }
  const before = await weightOf(said.length)
  expect(rooms.get(room)).toBeUndefined()
  await alice.stop()
  const again = await startPeer('Alice', { store: alice.store })
  running[0] = again
  expect(await again.mesh.rooms.rooms.weigh(room)).toBe(before)
  expect(again.mesh.rooms.rooms.get(room)).toBeUndefined()
}, 60_000)
