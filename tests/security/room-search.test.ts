import { afterEach, expect, test } from 'vitest'
import { ROOM_TEXT_MAX_LENGTH } from '../../mesh/base/index.ts'
import { roomOfMember, startPeer } from '../kit/peers.ts'
import { until } from '../kit/wait.ts'

// A member writes letters that become eighteen when a search compares them (U+FDFA).

const running: { stop(): unknown }[] = []
afterEach(async () => {
  for (const one of running.splice(0)) await one.stop()
})

test('searching what a member filled with letters that expand holds nothing up', async () => {
  const alice = await startPeer('Alice')
  running.push(alice)
  const mallory = await startPeer('Mallory')
  running.push(mallory)
  const room = await roomOfMember(mallory, alice)
  const theirs = mallory.mesh.rooms.rooms
  for (let count = 0; count < 16; count++) await theirs.say(room, '\uFDFA'.repeat(ROOM_TEXT_MAX_LENGTH))
  const { rooms } = alice.mesh.rooms
  await until(() => rooms.list().some(({ id }) => id === room), { what: 'the room' })
  await rooms.open(room)
  await until(() => rooms.get(room)?.items.length === 16, { what: 'the messages', timeoutMs: 20_000 })
  await mallory.stop()
  running.pop()

  let longestMs = 0
  let at = performance.now()
  const timer = setInterval(() => {
    longestMs = Math.max(longestMs, performance.now() - at)
    at = performance.now()
  }, 1)
  expect((await rooms.search('zzz', { room })).found).toEqual([])
  await new Promise((resolve) => setTimeout(resolve, 5))
  clearInterval(timer)
  console.info(`the thread was held for ${longestMs.toFixed(0)} ms at most`)
  // most of a second and more when it is done in one go
  expect(longestMs).toBeLessThan(400)
}, 60_000)
