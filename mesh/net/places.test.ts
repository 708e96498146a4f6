import { expect, test } from 'vitest'
import { createSeededRandom } from '../../tests/kit/random.ts'
import { createPlaces, sourceOf, surplus } from './places.ts'

test('a newcomer always finds a place, and of all that are there never more than there are places', () => {
  for (let seed = 1; seed <= 20; seed++) {
    const places = createPlaces(8, createSeededRandom(seed))
    const here = new Set<number>()
    for (let count = 0; count < 200; count++) {
      places.take({ source: `host ${String(count % 3)}`, leave: () => here.delete(count) })
      here.add(count)
      expect(here.has(count)).toBe(true)
      expect(here.size).toBe(places.taken)
      expect(places.taken).toBeLessThanOrEqual(8)
    }
  }
})

test('a crowd of one host takes places from itself and from nobody else', () => {
  const places = createPlaces(8, createSeededRandom(1))
  let isGone = false
  places.take({ source: 'honest', leave: () => (isGone = true) })
  for (let count = 0; count < 1_000; count++) places.take({ source: 'crowd', leave: () => undefined })
  expect(isGone).toBe(false)
})

test('where all come from one host, who has to go is drawn by lot: being first or last is worth nothing', () => {
  const stays = [0, 0]
  for (let seed = 1; seed <= 400; seed++) {
    const places = createPlaces(8, createSeededRandom(seed))
    const here = new Set<number>()
    for (let count = 0; count < 9; count++) {
      places.take({ source: 'one', leave: () => here.delete(count) })
      here.add(count)
    }
    if (here.has(0)) stays[0] = (stays[0] ?? 0) + 1
    if (here.has(7)) stays[1] = (stays[1] ?? 0) + 1
  }
  for (const stayed of stays) expect(stayed / 400).toBeCloseTo(7 / 8, 1)
})

test('a place that was left is free, once', () => {
  const places = createPlaces(2, createSeededRandom(1))
  const leave = places.take({ source: 'a', leave: () => undefined })
  places.take({ source: 'b', leave: () => undefined })
  leave()
  leave()
  expect(places.taken).toBe(1)
})

test('of too many connections of one device the ones with the least on them go, oldest first', () => {
  const connections = [
    { openedAtMs: 1, streams: 3 },
    { openedAtMs: 2, streams: 0 },
    { openedAtMs: 3, streams: 0 },
  ]
  expect(surplus(connections, 2)).toEqual([connections[1]])
  expect(surplus(connections, 3)).toEqual([])
})

test.each([
  ['/ip4/192.168.1.7/tcp/4001/p2p/12D3', '192.168.1.7'],
  ['/ip6/2001:db8:1:2:3:4:5:6/tcp/1', '2001:db8:1:2'],
  ['/memory/alice', 'alice'],
  ['/p2p/12D3/p2p-circuit', 'elsewhere'],
])('%s comes from %s', (address, source) => {
  expect(sourceOf(address)).toBe(source)
})
