import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createSliceSize } from './slice-size.ts'

describe('the size of a prompt slice', () => {
  test('it grows on a fast machine and never more than doubles', () => {
    const slices = createSliceSize()
    let before = slices.next()
    for (let step = 0; step < 10; step++) {
      slices.measured(before, before * 0.05)
      expect(slices.next()).toBeLessThanOrEqual(before * 2)
      before = slices.next()
    }
    expect(before).toBe(512)
  })

  test('after one slow slice the next one fits into 100 ms at the speed just measured', () => {
    fc.assert(
      fc.property(fc.double({ min: 0.01, max: 90, noNaN: true }), (msPerToken) => {
        const slices = createSliceSize()
        for (let step = 0; step < 8; step++) slices.measured(slices.next(), slices.next() * 0.01)
        slices.measured(slices.next(), slices.next() * msPerToken)
        expect(slices.next() * msPerToken).toBeLessThanOrEqual(100)
      }),
    )
  })
})
