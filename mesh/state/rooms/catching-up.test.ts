import { describe, expect, it } from 'vitest'
import type { PersonId, RoomId } from '../../base/index.ts'
import { createVirtualClock } from '../../../tests/kit/clock.ts'
import { createCatchingUp, type CatchingUp } from './catching-up.ts'

const bob = 'b'.repeat(32) as PersonId
const mallory = 'c'.repeat(32) as PersonId
const room = (name: string | number): RoomId => String(name) as RoomId

function scene(tookMs: number): {
  readonly catchingUp: CatchingUp
  readonly looks: { readonly room: RoomId; readonly at: number }[]
  readonly clock: ReturnType<typeof createVirtualClock>
} {
  const clock = createVirtualClock()
  const looks: { room: RoomId; at: number }[] = []
  const startedAt = clock.monotonic()
  let isLooking = false
  const catchingUp = createCatchingUp({
    clock,
    async look(which) {
      expect(isLooking).toBe(false)
      isLooking = true
      looks.push({ room: which, at: clock.monotonic() - startedAt })
      await new Promise<void>((resolve) => clock.schedule(tookMs, resolve))
      isLooking = false
      return true
    },
  })
  return { catchingUp, looks, clock }
}

describe('rooms that are not open', () => {
  it('are looked at one at a time, and those who wrote take turns', async () => {
    const { catchingUp, looks, clock } = scene(10)
    for (let count = 0; count < 1_000; count++) catchingUp.add(room(count), [mallory])
    catchingUp.add(room('family'), [bob])
    catchingUp.add(room('work'), [mallory, bob])
    await clock.advanceAsync(3_000)
    expect(looks.slice(0, 4).map((look) => look.room)).toEqual(['0', 'family', '1', 'work'].map(room))
  })

  it('take a part of the time there is, however much is written into them', async () => {
    const { catchingUp, looks, clock } = scene(2_000)
    for (let step = 0; step < 600; step++) {
      for (const name of ['large', 'larger']) catchingUp.add(room(name), [mallory])
      await clock.advanceAsync(500)
    }
    expect(looks.length * 2_000).toBeLessThan(300_000 / 4)
    expect(looks.length).toBeGreaterThan(4)
    // who writes there meanwhile has a turn of their own
    catchingUp.add(room('large'), [bob])
    for (let count = 0; count < 1_000; count++) catchingUp.add(room(count), [mallory])
    const before = looks.length
    await clock.advanceAsync(100_000)
    expect(looks.slice(before).some((look) => look.room === room('large'))).toBe(true)
    catchingUp.stop()
    const stopped = looks.length
    await clock.advanceAsync(100_000)
    expect(looks.length).toBeLessThanOrEqual(stopped + 1)
  })
})
