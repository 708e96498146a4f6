import { expect, test } from 'vitest'
import { createVirtualClock } from '../../../tests/kit/clock.ts'
import { createWorkMeter } from './index.ts'

test('pieces of work that go on together share the time, and are charged it once', () => {
  const clock = createVirtualClock()
  const meter = createWorkMeter(clock)
  const charged: Record<string, number> = {}
  const start = (name: string) => meter.start((workMs) => (charged[name] = (charged[name] ?? 0) + workMs))
  const first = start('first')
  clock.advance(10)
  const second = start('second')
  clock.advance(20)
  first.stop()
  first.stop()
  clock.advance(5)
  second.stop()
  clock.advance(100)
  start('third').stop()
  expect(charged).toEqual({ first: 20, second: 15, third: 0 })
})

test('waiting is no work where the platform tells the time of the processor', () => {
  const clock = createVirtualClock()
  let busyMs = 0
  const meter = createWorkMeter({ ...clock, busyMs: () => busyMs })
  let charged = 0
  const piece = meter.start((workMs) => (charged = workMs))
  clock.advance(1_000)
  busyMs += 3
  piece.stop()
  expect(charged).toBe(3)
})
