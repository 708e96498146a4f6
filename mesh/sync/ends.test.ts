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
