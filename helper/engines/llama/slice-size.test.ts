import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createSliceSize, type SliceSize } from './slice-size.ts'

/** Reads a long prompt on a machine where a slice costs so much, and gives the times of its slices. */
function read(slices: SliceSize, fixedMs: number, msPerToken: number, count: number): number[] {
  return Array.from({ length: count }, () => {
    const tokens = slices.next()
    const elapsedMs = fixedMs + tokens * msPerToken
    slices.measured(tokens, elapsedMs)
    return elapsedMs
  })
}

describe('the size of a prompt slice', () => {
  test('it grows on a fast machine, by at most double, up to the batch of the engine', () => {
    const slices = createSliceSize()
    let before = slices.next()
    for (let step = 0; step < 10; step++) {
      slices.measured(before, before * 0.02)
      expect(slices.next()).toBeLessThanOrEqual(before * 2)
      before = slices.next()
    }
    expect(before).toBe(512)
  })

  test('after a few slices, each takes 100 ms at most wherever that can be had', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 30 }),
        fc.double({ min: 0.05, max: 12, noNaN: true }),
        (fixed, perToken) => {
          const slices = createSliceSize()
          read(slices, fixed, perToken, 12)
          expect(Math.max(...read(slices, fixed, perToken, 20))).toBeLessThanOrEqual(100)
        },
      ),
    )
  })

  test('slices do not stay small because small ones are dear', () => {
    const slices = createSliceSize()
    read(slices, 20, 1.5, 12)
    expect(slices.next()).toBeGreaterThanOrEqual(25)
  })

  test('one slice slowed by another program at most halves the next', () => {
    const slices = createSliceSize()
    read(slices, 5, 1, 12)
    const before = slices.next()
    slices.measured(before, 5_000)
    expect(slices.next()).toBe(Math.floor(before / 2))
  })
})
