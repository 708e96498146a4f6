import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  createBeacon,
  createNameKeeper,
  type Answer,
  type BeaconPorts,
  type Multicast,
  type Question,
} from '../../../helper/discovery/index.ts'
import { markOf, serviceOf, TAG_PERIOD_MS } from '../../../helper/discovery/tag.ts'
import { asId, silentLogger, type DeviceId } from '../../../mesh/base/index.ts'
import { createVirtualClock } from '../../kit/clock.ts'
import { createSeededRandom } from '../../kit/random.ts'

type Air = Pick<Multicast, 'ask' | 'say' | 'onQuestions' | 'onAnswers'>

/** A network that carries every packet to everybody else, and keeps all that was sent. */
function createAir() {
  const heard: {
    asked: Set<(q: readonly Question[], from: string) => void>
    said: Set<(a: readonly Answer[], from: string) => void>
  } = {
    asked: new Set(),
    said: new Set(),
  }
  const sent: (readonly (Question | Answer)[])[] = []
  const at = (address: string): Air => {
    const own = { asked: new Set<unknown>(), said: new Set<unknown>() }
    return {
      ask(questions) {
        sent.push(questions)
        for (const listener of heard.asked) if (!own.asked.has(listener)) listener(questions, address)
      },
      say(answers) {
        sent.push(answers)
        for (const listener of heard.said) if (!own.said.has(listener)) listener(answers, address)
      },
      onQuestions(listener) {
        heard.asked.add(listener)
        own.asked.add(listener)
        return () => heard.asked.delete(listener)
      },
      onAnswers(listener) {
        heard.said.add(listener)
        own.said.add(listener)
        return () => heard.said.delete(listener)
      },
    }
  }
  return { at, sent, text: () => JSON.stringify(sent) }
}

const ANA = asId<DeviceId>('12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN')
const BEN = asId<DeviceId>('12D3KooWQYhTNQdmr3ArTeUHRYzFg94BKyTkoWBDWez9kSCVe2Xo')
const KEY = new Uint8Array(32).fill(7)
const OTHER = new Uint8Array(32).fill(8)

function scene() {
  const air = createAir()
  const clock = createVirtualClock()
  const found: [DeviceId, DeviceId, readonly string[]][] = []
  const start = (self: DeviceId, address: string, change: Partial<BeaconPorts> = {}) =>
    createBeacon({
      multicast: air.at(address),
      clock,
      random: createSeededRandom(address),
      self,
      port: () => 7541,
      meshTags: () => [KEY],
      admitted: () => [ANA, BEN].filter((id) => id !== self),
      found: (device, addresses) => found.push([self, device, addresses]),
      ...change,
    })
  return { air, clock, found, start }
}

describe('devices of one mesh', () => {
  test('find each other where their packets come from, as soon as the second is there', () => {
    const { found, start } = scene()
    start(ANA, '10.77.0.2')
    start(BEN, '10.77.0.3')
    expect(found).toContainEqual([ANA, BEN, ['/ip4/10.77.0.3/tcp/7541']])
    expect(found).toContainEqual([BEN, ANA, ['/ip4/10.77.0.2/tcp/7541']])
  })

  test('send nothing that names them, nor anything that is the same in two hours', () => {
    const { air, clock, start } = scene()
    start(ANA, '10.77.0.2')
    start(BEN, '10.77.0.3')
    const words = (text: string): Set<string> => new Set(text.match(/[a-z0-9]{8,}/gi))
    const before = words(air.text())
    air.sent.length = 0
    clock.advance(TAG_PERIOD_MS)
    air.sent.splice(0, Math.max(0, air.sent.length - 4))
    const after = words(air.text())
    expect(before.size).toBeGreaterThan(3)
    const both = [...after].filter((word) => before.has(word))
    expect(both.filter((word) => !/^ttlSeconds$/.test(word))).toEqual([])
    for (const secret of [ANA, BEN, 'plexus', 'Plexus']) expect([...before, ...after].join()).not.toContain(secret)
  })

  test('find each other with clocks an hour apart, and not with clocks a day apart', () => {
    for (const [offMs, isFound] of [
      [TAG_PERIOD_MS, true],
      [-TAG_PERIOD_MS, true],
      [24 * TAG_PERIOD_MS, false],
    ] as const) {
      const { found, start, clock } = scene()
      start(ANA, '10.77.0.2')
      start(BEN, '10.77.0.3', { clock: createVirtualClock(clock.now() + offMs) })
      expect([offMs, found.some(([self]) => self === ANA)]).toEqual([offMs, isFound])
    }
  })

  test('meet when only one of them has the new key, and nothing is said under the old one by who has it', () => {
    const { air, found, start } = scene()
    // the one with the new key first and the one with the old key first
    start(ANA, '10.77.0.2', { meshTags: () => [OTHER, KEY] })
    const before = air.sent.length
    const ben = start(BEN, '10.77.0.3')
    expect(found).toEqual([[ANA, BEN, ['/ip4/10.77.0.3/tcp/7541']]])
    // the question and what it says of itself; no answer to the old name
    expect(air.sent).toHaveLength(before + 2)
    ben.stop()
  })

  test('are silent without a key, and after their end', () => {
    const { air, clock, found, start } = scene()
    start(ANA, '10.77.0.2', { meshTags: () => [] })
    expect(air.sent).toEqual([])
    const ben = start(BEN, '10.77.0.3')
    ben.stop()
    air.sent.length = 0
    clock.advance(TAG_PERIOD_MS)
    expect([air.sent, found]).toEqual([[], []])
  })
})

describe('a stranger', () => {
  test('with another key finds nobody and is found by nobody', () => {
    const { found, start } = scene()
    start(ANA, '10.77.0.2')
    start(BEN, '10.77.0.3', { meshTags: () => [OTHER] })
    expect(found).toEqual([])
  })

  test('who replays a tag brings a device that was not admitted nowhere', () => {
    const { air, found, start } = scene()
    start(ANA, '10.77.0.2', { admitted: () => [] })
    start(BEN, '10.77.0.3')
    expect(found.filter(([self]) => self === ANA)).toEqual([])
    expect(air.sent.length).toBeGreaterThan(0)
  })

  test('who says anything at all breaks nothing', () => {
    const { air, clock, found, start } = scene()
    start(ANA, '10.77.0.2')
    const name = serviceOf(KEY, Math.floor(clock.now() / TAG_PERIOD_MS))
    const target = `x.${name}`
    const mark = markOf(KEY, Math.floor(clock.now() / TAG_PERIOD_MS), BEN)
    const ttlSeconds = 1
    const record = fc.oneof(
      fc.record({
        type: fc.constant('PTR' as const),
        name: fc.constantFrom(name, target, 'x'),
        target: fc.constantFrom(target, name, ''),
        ttlSeconds: fc.nat(),
      }),
      fc.record({
        type: fc.constant('SRV' as const),
        name: fc.constantFrom(target, name),
        port: fc.nat(70_000),
        ttlSeconds: fc.nat(),
      }),
      fc.record({
        type: fc.constant('TXT' as const),
        name: fc.constantFrom(target, name),
        text: fc.string(),
        ttlSeconds: fc.nat(),
      }),
      fc.record({ type: fc.constant('A' as const), name: fc.string(), address: fc.string(), ttlSeconds: fc.nat() }),
    )
    const mallory = air.at('10.77.0.66')
    fc.assert(
      fc.property(fc.array(record, { maxLength: 8 }), (records) => {
        mallory.say(records)
        mallory.ask([{ name: records[0]?.name ?? '', type: 'PTR' }])
      }),
    )
    // who holds the key may say where a device is; a wrong place costs a dial that Noise refuses
    expect(found).toEqual([])
    // an address that said that much is heard again only after a while
    clock.advance(60_000)
    mallory.say([
      { type: 'PTR', name, target, ttlSeconds },
      { type: 'SRV', name: target, port: 1, ttlSeconds },
      { type: 'TXT', name: target, text: mark, ttlSeconds },
    ])
    expect(found).toEqual([[ANA, BEN, ['/ip4/10.77.0.66/tcp/1']]])
  })
})

describe('plexus.local', () => {
  const keeper = (air: ReturnType<typeof createAir>, clock: ReturnType<typeof createVirtualClock>, address: string) =>
    createNameKeeper({ multicast: air.at(address), clock, log: silentLogger, addresses: () => [address] })

  test('is answered for by the first helper of the network, and by no second', () => {
    const air = createAir()
    const clock = createVirtualClock()
    const first = keeper(air, clock, '10.77.0.2')
    expect(first.isOurs).toBe(false)
    clock.advance(1_000)
    expect(first.isOurs).toBe(true)
    const second = keeper(air, clock, '10.77.0.3')
    clock.advance(1_000)
    expect([first.isOurs, second.isOurs]).toEqual([true, false])
    const answers: Answer[] = []
    const phone = air.at('10.77.0.9')
    phone.onAnswers((heard) => answers.push(...heard))
    phone.ask([{ name: 'plexus.local', type: 'A' }])
    expect(answers).toEqual([{ type: 'A', name: 'plexus.local', address: '10.77.0.2', ttlSeconds: 120 }])
    first.stop()
    answers.length = 0
    phone.ask([{ name: 'plexus.local', type: 'A' }])
    expect(answers).toEqual([])
  })

  test('is answered for by nothing else that is asked', () => {
    const air = createAir()
    const clock = createVirtualClock()
    keeper(air, clock, '10.77.0.2')
    clock.advance(1_000)
    air.sent.length = 0
    const phone = air.at('10.77.0.9')
    for (const question of [
      { name: '_services._dns-sd._udp.local', type: 'PTR' },
      { name: 'other.local', type: 'A' },
      { name: 'plexus.local', type: 'TXT' },
    ])
      phone.ask([question])
    expect(air.sent).toHaveLength(3)
  })

  test('who repeats what everybody hears makes no device look for it each time', () => {
    let looked = 0
    const { air, clock, start } = scene()
    start(ANA, '10.77.0.2', {
      admitted: () => {
        looked += 1
        return [BEN]
      },
    })
    const name = serviceOf(KEY, Math.floor(clock.now() / TAG_PERIOD_MS))
    const target = `x.${name}`
    const mallory = air.at('10.77.0.66')
    for (let count = 0; count < 1_000; count++) {
      mallory.say([
        { type: 'PTR', name, target, ttlSeconds: 1 },
        { type: 'SRV', name: target, port: 1, ttlSeconds: 1 },
        { type: 'TXT', name: target, text: 'nobody', ttlSeconds: 1 },
      ])
    }
    expect(looked).toBeGreaterThan(0)
    expect(looked).toBeLessThan(50)
  })
})
