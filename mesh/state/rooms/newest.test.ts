import { expect, test } from 'vitest'
import { createNewest } from './newest.ts'

test('what came and went is let go of: the next that goes does not look at all of it', () => {
  let compared = 0
  const newest = createNewest<{ readonly at: number }>(1, (a, b) => {
    compared += 1
    return a.at - b.at
  })
  const [first, second] = [{ at: 10_001 }, { at: 10_000 }]
  newest.add(first)
  newest.add(second)
  for (let at = 0; at < 1_000; at++) {
    const older = { at }
    newest.add(older)
    newest.remove(older)
  }
  compared = 0
  newest.remove(first)
  expect(newest.items).toEqual([second])
  newest.remove(second)
  expect(newest.items).toEqual([])
  expect(compared).toBeLessThan(100)
})
