import { afterEach, expect, test } from 'vitest'
import { systemClock } from '../../helper/ports/clock.ts'
import { boundPorts } from '../../helper/ports/node-peer.ts'
import type { Clock, RoomId } from '../../mesh/base/index.ts'
import type { MemoryStore } from '../kit/memory-store.ts'
import { join, loopbackPreset, startPeer, type TestPeer } from '../kit/peers.ts'
import { until } from '../kit/wait.ts'

const DAY_MS = 24 * 60 * 60_000

const running = new Set<TestPeer>()
afterEach(async () => {
  await Promise.all([...running].map((peer) => peer.stop()))
  running.clear()
})

/** A clock that runs as ours does, some days later. */
const later = (days: number): Clock => ({
  now: () => systemClock.now() + days * DAY_MS,
  monotonic: () => systemClock.monotonic(),
  schedule: (delayMs, run) => systemClock.schedule(delayMs, run),
})

async function start(name: string, days = 0, store?: MemoryStore, tcp?: number): Promise<TestPeer> {
  const known = store === undefined ? {} : { store }
  const preset =
    store === undefined || tcp === undefined
      ? {}
      : { preset: await loopbackPreset(store, { ws: 0, tcp, webrtcDirect: 0 }) }
  const peer = await startPeer(name, { clock: later(days), ...known, ...preset })
  running.add(peer)
  return peer
}
async function stop(peer: TestPeer): Promise<void> {
  running.delete(peer)
  await peer.stop()
}

const textsOf = (peer: TestPeer, room: RoomId): string[] =>
  (peer.mesh.rooms.rooms.get(room)?.items ?? []).flatMap((item) => (item.kind === 'message' ? [item.text] : []))
async function enter(peer: TestPeer, room: RoomId): Promise<void> {
  await until(() => peer.mesh.rooms.rooms.list().some((one) => one.id === room), {
    what: `${peer.name} to see the room`,
  })
  await peer.mesh.rooms.rooms.open(room)
}
const holds = ({ store: { data } }: TestPeer, word: string): boolean =>
  [...data.records.values(), ...[...data.logs.values()].flat().map((entry) => entry.bytes)].some((bytes) =>
    Buffer.from(bytes).includes(word),
  )

test('a device that was away for thirty days and three removals, with a clock a day wrong, has everything and brings what it wrote', async () => {
  let alice = await start('Alice desktop')
  let bob = await start('Bob laptop')
  const lost = [await start('Carol laptop'), await start('Dave laptop'), await start('Erin laptop')]
  await join(bob, alice, 'Bob')
  for (const each of lost) await join(each, alice, each.name)
  const people = alice.mesh.rooms.people().map(({ id }) => id)
  const room = await alice.mesh.rooms.rooms.create({ name: 'Cabin', people, history: 'all' })
  await alice.mesh.rooms.rooms.say(room, 'See you in a month.')
  for (const each of [bob, ...lost]) {
    await enter(each, room)
    await until(() => textsOf(each, room).length === 1, { what: `the message at ${each.name}` })
  }
  // where the others look for it
  const { tcp } = boundPorts(alice.mesh.addresses())
  await stop(alice)
  for (const each of lost) await stop(each)
  await bob.mesh.rooms.rooms.say(room, 'Written far from everything.')
  await stop(bob)

  for (const [index, each] of lost.entries()) {
    const days = (index + 1) * 10
    alice = await start('Alice desktop', days, alice.store, tcp)
    await enter(alice, room)
    await alice.mesh.remove(each.mesh.self)
    await alice.mesh.rooms.rooms.say(room, `Day ${String(days)}: marigold.`)
    if (index < lost.length - 1) await stop(alice)
  }

  bob = await start('Bob laptop', 31, bob.store)
  await bob.untilOnline(alice)
  await enter(bob, room)
  for (const each of [alice, bob])
    await until(() => textsOf(each, room).length === 5, { what: `all that was written at ${each.name}` })
  expect(textsOf(bob, room)).toEqual(textsOf(alice, room))
  expect(textsOf(bob, room).filter((text) => text.startsWith('Day'))).toEqual([
    'Day 10: marigold.',
    'Day 20: marigold.',
    'Day 30: marigold.',
  ])
  expect(bob.mesh.devices().map(({ id }) => id).sort()).toEqual([alice.mesh.self, bob.mesh.self].sort()) // prettier-ignore
  await bob.mesh.rooms.rooms.say(room, 'Back again.')
  await until(() => textsOf(alice, room).includes('Back again.'), { what: 'what is written with the newest key' })

  for (const each of lost) {
    const back = await start(each.name, 31, each.store)
    await until(() => back.mesh.standing() === 'removed', { what: `${each.name} to hear that it was removed` })
    expect(holds(back, 'marigold')).toBe(false)
    expect(back.mesh.rooms.rooms.list()).toEqual([])
  }
})
