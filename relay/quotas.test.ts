import { expect, test } from 'vitest'
import type { DeviceId } from '../mesh/base/index.ts'
import { createVirtualClock } from '../tests/kit/clock.ts'
import { createDeviceQuota, WINDOW_MS } from './quotas.ts'

const alice = 'alice' as DeviceId
const mallory = 'mallory' as DeviceId

test('a device that asks too often is refused, others are not, and its share comes back', () => {
  const clock = createVirtualClock()
  const quota = createDeviceQuota(clock, 3)
  expect([1, 2, 3, 4].map(() => quota.take(mallory))).toEqual([true, true, true, false])
  expect(quota.take(alice)).toBe(true)
  clock.advance(WINDOW_MS + 1)
  expect(quota.take(mallory)).toBe(true)
})

test('the count of ten thousand strangers does not grow without bound', () => {
  const quota = createDeviceQuota(createVirtualClock(), 1)
  for (let index = 0; index < 10_050; index++) quota.take(`stranger ${String(index)}` as DeviceId)
  // the first was forgotten: it has its share again
  expect(quota.take('stranger 0' as DeviceId)).toBe(true)
})
