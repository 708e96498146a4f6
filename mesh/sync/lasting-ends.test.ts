import { sha256 } from '@noble/hashes/sha2.js'
import { expect, test } from 'vitest'
import { asId, randomInt, type DeviceId, type Random } from '../base/index.ts'
import { createSeededRandom } from '../../tests/kit/random.ts'
import { createChains, type Chains } from './chains.ts'
import { CAME_LATE, endsIn, LATE_RANK, markedEnd } from './ends.ts'
import { NO_ENVELOPE, type Envelope } from './envelope.ts'
import type { EnvelopePlace } from './erasings.ts'
import type { TellerRights } from './lasting-ends.ts'
import { createMarks } from './marks.ts'

// Devices tell ends of each other's chains, also of those in which ends are told, truly or not, before what they speak
// of is there or after. The first of each person may write; of the last person none may.

const PEOPLE = 4
const DEVICES = Array.from({ length: PEOPLE * 3 }, (_, index) => asId<DeviceId>(`device ${String(index)}`))
const ENDS_OF = (device: number): number => 1 + device
const WORDS_OF = (device: number): number => 101 + device
const LENGTH = 3

const personOf = (by: DeviceId): number => DEVICES.indexOf(by) % PEOPLE

function rightsOf(writing: ReadonlySet<DeviceId>, had: ReadonlyMap<number, number> = new Map()): TellerRights {
  return {
    mayWrite: (by) => writing.has(by),
    personMayWrite: (by) => [...writing].some((other) => personOf(other) === personOf(by)),
    hadHere: ({ number }) => had.get(number) ?? 0,
  }
}

function envelope(place: EnvelopePlace, by: DeviceId, given: { at?: number; ends?: EnvelopePlace[] } = {}): Envelope {
  const { at = 1, ends } = given
  const hash = sha256(new TextEncoder().encode(`${String(place.chain)}/${String(place.sequence)}`))
  const head = {
    ...{ document: '', author: by, run: new Uint8Array(16), epoch: '', sequence: place.sequence },
    ...{ from: 0, count: 0, at, previous: NO_ENVELOPE, erases: [], ends },
  }
  const none = new Uint8Array()
  return { head, chain: place.chain, hash, box: none, bytes: none, signature: none, headBytes: none, boxHash: none }
}

function trueEnd(place: EnvelopePlace): EnvelopePlace[] {
  const marks = createMarks()
  marks.add(envelope(place, DEVICES[0] as DeviceId).hash)
  return markedEnd(place, marks.at(1))
}

function someEnd(random: Random): EnvelopePlace[] {
  const device = randomInt(random, DEVICES.length)
  const chain = randomInt(random, 3) > 0 ? ENDS_OF(device) : WORDS_OF(device)
  const place = { chain, sequence: 1 + randomInt(random, LENGTH + 1) }
  const kind = randomInt(random, 8)
  if (kind === 0) return [place]
  return kind === 1 ? markedEnd(place, [7, 7]) : trueEnd(place)
}

/** What all of them ever wrote, each in its own order. */
function history(random: Random): Envelope[][] {
  return DEVICES.flatMap((by, device) => {
    const places = (chain: number) => Array.from({ length: LENGTH }, (_, index) => ({ chain, sequence: index + 1 }))
    const telling = places(ENDS_OF(device)).map((place) => {
      const late = randomInt(random, 6) === 0 ? [CAME_LATE] : []
      return envelope(place, by, { at: randomInt(random, 9), ends: [...late, ...someEnd(random), ...someEnd(random)] })
    })
    return [telling, places(WORDS_OF(device)).map((place) => envelope(place, by))]
  })
}

/** As it is defined: more and more, until nothing more follows. */
function expected(chains: Chains, rights: TellerRights): (place: EnvelopePlace) => number {
  const all = [...chains.all.values()]
  const isReplaced = (by: DeviceId): boolean => !rights.mayWrite(by) && rights.personMayWrite(by)
  const isTrue = ({ chain, sequence, mark }: ReturnType<typeof endsIn>[number]): boolean =>
    mark !== undefined && String(chains.get(chain)?.marks.at(sequence)) === String(mark)
  const told = all.flatMap(({ number, author, ends, endsAt }) =>
    ends.flatMap((some, index) =>
      endsIn({ by: author, at: endsAt[index] ?? 0, told: some })
        .filter(({ cameLate }) => !cameLate)
        .map((end) => ({ ...end, author, number, at: index + 1 })),
    ),
  )
  let counted = new Set<(typeof told)[number]>()
  for (;;) {
    const isHad = (chain: number, sequence: number): boolean =>
      told.some((end) => end.chain === chain && end.sequence >= sequence && (rights.mayWrite(end.author) || counted.has(end))) // prettier-ignore
    const more = new Set(
      told.filter((end) => {
        const chain = chains.get(end.number)
        const isHere = chain !== undefined && rights.hadHere(chain) >= end.at
        return isReplaced(end.author) && isTrue(end) && (isHere || isHad(end.number, end.at))
      }),
    )
    if (more.size === counted.size) break
    counted = more
  }
  return ({ chain, sequence }) =>
    Math.min(
      Infinity,
      ...[...counted].filter((end) => end.chain === chain && end.sequence >= sequence).map(({ rank }) => rank),
    )
}

const PLACES = DEVICES.flatMap((_, device) =>
  [ENDS_OF(device), WORDS_OF(device)].flatMap((chain) =>
    Array.from({ length: LENGTH }, (_unused, index) => ({ chain, sequence: index + 1 })),
  ),
)

test('which ends of devices that were replaced count follows from the envelopes and the rights, in whatever order they came', () => {
  let lasting = 0
  for (let seed = 0; seed < 60; seed++) {
    const random = createSeededRandom(`lasting ${String(seed)}`)
    const all = history(random)
    const writing = new Set(DEVICES.filter((by, index) => personOf(by) < PEOPLE - 1 && index < PEOPLE))
    const had = new Map([[ENDS_OF(randomInt(random, DEVICES.length)), 1 + randomInt(random, LENGTH)]])
    const others = new Set(DEVICES.filter(() => randomInt(random, 2) === 0))
    let first: number[] | undefined
    for (let order = 0; order < 4; order++) {
      const chains = createChains()
      const left = all.map((chain) => [...chain])
      const rankOf = (place: EnvelopePlace, rights: TellerRights): number => chains.lastingEnds.rankOf(place, rights)
      while (left.some((chain) => chain.length > 0)) {
        const [next] = left[randomInt(random, left.length)]?.splice(0, 1) ?? []
        if (next === undefined) continue
        const undo = chains.take(next, 0)
        const chance = randomInt(random, 12)
        // rights were others meanwhile, somebody asked, or the disk was full
        if (chance === 0) chains.lastingEnds.forget()
        if (chance < 4) rankOf({ chain: 1, sequence: 1 }, rightsOf(chance === 1 ? others : writing, had))
        if (chance === 1) chains.lastingEnds.forget()
        if (chance === 5) {
          undo()
          chains.take(next, 0)
        }
        if (order === 0) rankOf({ chain: 1, sequence: 1 }, rightsOf(writing, had))
      }
      const ranks = PLACES.map((place) => rankOf(place, rightsOf(writing, had)))
      first ??= PLACES.map(expected(chains, rightsOf(writing, had)))
      expect(ranks).toEqual(first)
      lasting += ranks.filter((rank) => rank < LATE_RANK).length
      // with those who are left of a person its word goes, and comes back with them
      chains.lastingEnds.forget()
      expect(PLACES.map((place) => rankOf(place, rightsOf(others)))).toEqual(PLACES.map(expected(chains, rightsOf(others)))) // prettier-ignore
      chains.lastingEnds.forget()
      expect(PLACES.every((place) => rankOf(place, rightsOf(new Set())) === Infinity)).toBe(true)
    }
  }
  expect(lasting).toBeGreaterThan(1_000)
})

test('each end comes to count once, however many are told again and again of the same', () => {
  const [laptop, phone] = [DEVICES[0], DEVICES[PEOPLE]] as [DeviceId, DeviceId]
  const rights = rightsOf(new Set([laptop]))
  const looksOf = (count: number): number => {
    const chains = createChains()
    chains.take(envelope({ chain: 101, sequence: 1 }, DEVICES[1] as DeviceId), 0)
    const { lastingEnds } = chains
    lastingEnds.rankOf({ chain: 101, sequence: 1 }, rights)
    let looks = 0
    const told = trueEnd({ chain: 101, sequence: 1 })
    for (let sequence = 1; sequence <= count; sequence++) {
      const some = { at: sequence, ends: told }
      const one = envelope({ chain: 1, sequence }, phone, some)
      const counting = new Proxy(told, {
        get: (target, key, receiver) => {
          if (key === 'flatMap') looks += 1
          return Reflect.get(target, key, receiver) as unknown
        },
      })
      chains.take({ ...one, head: { ...one.head, ends: counting } }, 0)
      const ends = [{ chain: 1, sequence }]
      chains.take(envelope({ chain: 2, sequence }, laptop, { at: sequence, ends }), 0)
      expect(lastingEnds.rankOf({ chain: 101, sequence: 1 }, rights)).toBe(256)
    }
    return looks
  }
  // once when it came, and once when it came to count
  expect(looksOf(500)).toBeLessThanOrEqual(1_000)
})
