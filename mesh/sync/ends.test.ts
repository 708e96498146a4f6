import { expect, test } from 'vitest'
import { asId, randomInt, type DeviceId } from '../base/index.ts'
import { createSeededRandom } from '../../tests/kit/random.ts'
import { createEnds, type TellingEnvelope } from './ends.ts'

const TELLERS = ['a', 'b', 'c'].map((id) => asId<DeviceId>(id))

test('when something was told first follows from what was told, in whatever order it came, and what was taken back is gone', () => {
  for (let seed = 0; seed < 100; seed++) {
    const random = createSeededRandom(`ends ${String(seed)}`)
    const told: TellingEnvelope[] = Array.from({ length: 12 }, () => ({
      by: TELLERS[randomInt(random, 3)] as DeviceId,
      at: randomInt(random, 5),
      told: Array.from({ length: 3 }, () => ({ chain: 1 + randomInt(random, 2), sequence: 1 + randomInt(random, 6) })),
    }))
    const gone = told.splice(8)
    const ends = createEnds()
    for (const one of told.toSorted(() => randomInt(random, 3) - 1)) ends.add(one)
    const undo = gone.map(ends.add)
    for (const takeBack of undo.reverse()) takeBack()
    const counts = (by: DeviceId): boolean => by !== TELLERS[0]
    const all = told
      .filter(({ by }) => counts(by))
      .flatMap(({ at, told: places }) => places.map((place, index) => ({ ...place, rank: at * 256 + index })))
    for (const chain of [1, 2]) {
      const ofChain = all.filter((one) => one.chain === chain)
      expect(ends.toldOf(chain, counts)).toBe(Math.max(0, ...ofChain.map(({ sequence }) => sequence)))
      for (let sequence = 1; sequence <= 7; sequence++)
        expect(ends.rankOf({ chain, sequence }, counts)).toBe(
          Math.min(Infinity, ...ofChain.filter((one) => one.sequence >= sequence).map(({ rank }) => rank)),
        )
    }
  }
})

test('ends that are told backwards cost about what those cost that are told forwards, and taking them back too', () => {
  const by = TELLERS[0] as DeviceId
  const FEW = 1 << 12
  const MANY = 1 << 16
  const tell = (count: number, isBackwards: boolean): number => {
    const ends = createEnds()
    const startedAt = performance.now()
    const undo: (() => void)[] = []
    for (let index = 0; index < count / 256; index++) {
      const place = isBackwards ? count / 256 - index : index
      const told = Array.from({ length: 256 }, (_, step) => ({ chain: 1, sequence: place * 256 + step + 1 }))
      undo.push(ends.add({ by, at: 1_000_000 + place, told }))
    }
    for (const takeBack of undo.reverse()) takeBack()
    expect(ends.toldOf(1, () => true)).toBe(0)
    return performance.now() - startedAt
  }
  tell(FEW, true)
  // a square costs sixteen times that
  expect(tell(MANY, true)).toBeLessThan((MANY / FEW) * (tell(FEW, true) + tell(FEW, false)) * 3 + 50)
})

test('one end that goes beyond a hundred thousand others and was told before them takes their place, and gives it back', () => {
  const by = TELLERS[0] as DeviceId
  const ends = createEnds()
  const COUNT = 150_000
  for (let sequence = 1; sequence <= COUNT; sequence++)
    ends.add({ by, at: sequence + 1, told: [{ chain: 1, sequence }] })
  const takeBack = ends.add({ by, at: 1, told: [{ chain: 1, sequence: COUNT }] })
  expect(ends.rankOf({ chain: 1, sequence: 7 }, () => true)).toBe(256)
  takeBack()
  expect(ends.rankOf({ chain: 1, sequence: 7 }, () => true)).toBe(8 * 256)
})
