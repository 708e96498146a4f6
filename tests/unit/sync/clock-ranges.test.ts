import { expect, test } from 'vitest'
import { randomInt } from '../../../mesh/base/index.ts'
import { commonClocks, hasClocks, withClocks, type Clocks } from '../../../mesh/sync/clock-ranges.ts'
import { createSeededRandom } from '../../kit/random.ts'

/** The same with a set, one clock at a time. */
function asSet(clocks: Clocks): Set<number> {
  return new Set(clocks.flatMap(([first, count]) => Array.from({ length: count }, (_, index) => first + index)))
}

test('ranges say the same as the clocks they stand for, whatever is added in whatever order', () => {
  const random = createSeededRandom('clock ranges')
  for (let round = 0; round < 300; round++) {
    let clocks: Clocks = []
    const expected = new Set<number>()
    for (let step = 0; step < 6; step++) {
      const added = Array.from(
        { length: randomInt(random, 5) },
        () => [randomInt(random, 60), 1 + randomInt(random, 6)] as const,
      )
      for (const clock of asSet(added)) expected.add(clock)
      clocks = withClocks(clocks, added)
      expect([...asSet(clocks)].sort((a, b) => a - b)).toEqual([...expected].sort((a, b) => a - b))
      // sorted, disjoint, and none touching the next
      for (const [index, [first]] of clocks.entries()) {
        const before = clocks[index - 1]
        if (before !== undefined) expect(before[0] + before[1]).toBeLessThan(first)
      }
      const [first, count] = [randomInt(random, 60), 1 + randomInt(random, 10)]
      const asked = asSet([[first, count]])
      expect(hasClocks(clocks, first, count)).toBe([...asked].every((clock) => expected.has(clock)))
      expect([...asSet(commonClocks(clocks, first, count))]).toEqual([...asked].filter((clock) => expected.has(clock)))
    }
  }
})

test('an author who erases in very many pieces costs no more than its pieces', () => {
  const pieces = Array.from({ length: 100_000 }, (_, index) => [(index * 7_919) % 200_000, 1] as const)
  let clocks: Clocks = []
  const startedAt = performance.now()
  for (let start = 0; start < pieces.length; start += 4_096)
    clocks = withClocks(clocks, pieces.slice(start, start + 4_096))
  for (const [first] of pieces) hasClocks(clocks, first, 1)
  // each of them against all before it would be twenty thousand million steps
  expect(performance.now() - startedAt).toBeLessThan(5_000)
  expect(clocks.reduce((sum, [, count]) => sum + count, 0)).toBe(new Set(pieces.map(([first]) => first)).size)
})
