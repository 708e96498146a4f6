import { describe, expect, test } from 'vitest'
import { createVirtualClock } from '../../../tests/kit/clock.ts'
import { createBackoff } from './backoff.ts'

describe('the wait before something that failed is started again', () => {
  test('it begins at a second, doubles, and never exceeds a minute', () => {
    const backoff = createBackoff(createVirtualClock())
    expect(Array.from({ length: 9 }, () => backoff.next('a') / 1_000)).toEqual([1, 2, 4, 8, 16, 32, 60, 60, 60])
  })

  test('it begins anew once the thing has worked and been well for a minute', () => {
    const clock = createVirtualClock()
    const backoff = createBackoff(clock)
    for (let loss = 0; loss < 5; loss++) backoff.next('a')
    backoff.worked('a')
    clock.advance(60_000)
    expect(backoff.next('a')).toBe(1_000)
  })

  test('something that never worked is not forgiven by time', () => {
    const clock = createVirtualClock()
    const backoff = createBackoff(clock)
    backoff.next('a')
    clock.advance(3_600_000)
    expect(backoff.next('a')).toBe(2_000)
  })

  test('each name has its own wait', () => {
    const backoff = createBackoff(createVirtualClock())
    backoff.next('a')
    expect(backoff.next('b')).toBe(1_000)
  })
})
