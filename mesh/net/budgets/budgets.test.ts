import { expect, test } from 'vitest'
import {
  BUDGET_GUEST_BURST_SECONDS,
  BUDGET_GUEST_FRAMES,
  BUDGET_GUEST_STREAMS,
  BUDGET_GUEST_WORK_MS,
  BUDGET_OWN_WORK_MS,
  BUDGET_PEAK_WORK_MS,
  BUDGET_STRANGERS_BURST_SECONDS,
  BUDGET_STRANGERS_FRAMES,
  BUDGET_WAIT_MAX_MS,
  STRANGERS_UNREAD_MAX_BYTES,
  STREAM_WORK_MS,
  randomInt,
  type DeviceId,
} from '../../base/index.ts'
import type { Subject } from '../../identity/index.ts'
import { createVirtualClock } from '../../../tests/kit/clock.ts'
import { createSeededRandom } from '../../../tests/kit/random.ts'
import { createBucket, createBudgets, type Spender } from './index.ts'

const rate = { perSecond: 10, burstSeconds: 3 }
const id = (name: string): DeviceId => name as DeviceId

test('a bucket lets a burst through, then its rate, over any time and in any portions', () => {
  for (let seed = 1; seed <= 50; seed++) {
    const clock = createVirtualClock()
    const random = createSeededRandom(seed)
    const bucket = createBucket(rate, clock, 60_000)
    let used = 0
    for (let step = 0; step < 400; step++) {
      if (bucket.waitMs() === 0) {
        const amount = 1 + randomInt(random, 5)
        bucket.take(amount)
        used += amount
      }
      clock.advance(randomInt(random, 300))
    }
    const most = rate.perSecond * rate.burstSeconds + (clock.monotonic() / 1_000) * rate.perSecond
    expect(used).toBeLessThanOrEqual(most + 5)
    expect(used).toBeGreaterThanOrEqual(Math.min(most, 400) * 0.5)
  }
})

test('what one thing cost makes nobody wait longer than a link bears', () => {
  const clock = createVirtualClock()
  const bucket = createBucket(rate, clock, BUDGET_WAIT_MAX_MS)
  bucket.take(1_000_000)
  expect(bucket.waitMs()).toBe(BUDGET_WAIT_MAX_MS)
  clock.advance(BUDGET_WAIT_MAX_MS)
  expect(bucket.waitMs()).toBe(0)
})

test('a device has one budget over all its connections, others have their own', () => {
  const clock = createVirtualClock()
  const budgets = createBudgets({ clock, spender: () => 'guest' })
  const [first, second] = [budgets.account(id('mallory'), {}), budgets.account(id('mallory'), {})]
  for (let count = 0; count <= BUDGET_GUEST_FRAMES * BUDGET_GUEST_BURST_SECONDS; count++) first.charge({ frames: 1 })
  expect(second.waitMs()).toBeGreaterThan(0)
  expect(budgets.account(id('honest'), {}).waitMs()).toBe(0)
})

test('strangers share one budget, however many they are; a member has none of their waiting', () => {
  const clock = createVirtualClock()
  const budgets = createBudgets({ clock, spender: (one) => (one === 'member' ? 'member' : 'stranger') })
  for (let count = 0; count < BUDGET_STRANGERS_FRAMES * BUDGET_STRANGERS_BURST_SECONDS + 10; count++)
    budgets.account(id(`s${String(count)}`), {}).charge({ frames: 1 })
  expect(budgets.account(id('late'), {}).waitMs()).toBeGreaterThan(0)
  expect(budgets.account(id('member'), {}).waitMs()).toBe(0)
})

test('a device that is removed has what strangers have, from that moment on', () => {
  const clock = createVirtualClock()
  let subject: Subject = 'member'
  const account = createBudgets({ clock, spender: () => subject }).account(id('mallory'), {})
  account.charge({ frames: 500 })
  expect(account.waitMs()).toBe(0)
  subject = 'removed'
  account.charge({ frames: 500 })
  expect(account.waitMs()).toBeGreaterThan(0)
})

test.each(['guest', 'helper-only', 'member', 'owner'] as const)(
  'a %s has what it saved up over time, not at once',
  (subject) => {
    const clock = createVirtualClock()
    const account = createBudgets({ clock, spender: () => subject }).account(id('mallory'), {})
    const usedIn = (durationMs: number): number => {
      let used = 0
      const endAt = clock.monotonic() + durationMs
      while (clock.monotonic() < endAt) {
        if (account.waitMs() === 0) {
          account.charge({ workMs: 10 })
          used += 10
        }
        clock.advance(5)
      }
      return used
    }
    const [first, second] = [usedIn(1_000), usedIn(1_000)]
    expect(first).toBeLessThanOrEqual(2 * BUDGET_PEAK_WORK_MS + 10)
    expect(second).toBeLessThanOrEqual(BUDGET_PEAK_WORK_MS + 10)
    expect(second).toBeGreaterThanOrEqual(BUDGET_GUEST_WORK_MS)
  },
)

test('an own device has what it may have from the first second on', () => {
  const clock = createVirtualClock()
  const account = createBudgets({ clock, spender: () => 'own' }).account(id('laptop'), {})
  for (let second = 0; second < 60; second++) {
    expect(account.waitMs()).toBe(0)
    account.charge({ workMs: BUDGET_OWN_WORK_MS })
    clock.advance(1_000)
  }
})

test('in a page others have half of the work, and own devices all of theirs', () => {
  const had = (standing: Spender, workShare: number): number => {
    const clock = createVirtualClock()
    const account = createBudgets({ clock, workShare, spender: () => standing }).account(id('phone'), {})
    let used = 0
    for (let second = 0; second < 100; second++) {
      for (; account.waitMs() === 0; used += 10) account.charge({ workMs: 10 })
      clock.advance(1_000)
    }
    return used
  }
  for (const standing of ['guest', 'helper-only', 'member', 'stranger'] as const) {
    expect(had(standing, 0.5) / had(standing, 1), standing).toBeCloseTo(0.5, 1)
  }
  expect(had('own', 0.5)).toBe(had('own', 1))
})

test('no device begins more things in one second than a page has time for', () => {
  for (const subject of ['guest', 'helper-only', 'member', 'owner', 'own'] as const) {
    const clock = createVirtualClock()
    const account = createBudgets({ clock, spender: () => subject }).account(id('mallory'), {})
    let streams = 0
    for (; account.waitMs() === 0 && streams < 1_000; streams++) account.charge({ streams: 1, workMs: STREAM_WORK_MS })
    expect(streams * STREAM_WORK_MS, subject).toBeLessThanOrEqual(BUDGET_PEAK_WORK_MS)
    expect(streams, subject).toBeGreaterThanOrEqual(BUDGET_GUEST_STREAMS)
  }
})

test('who waits goes on when the time has come', async () => {
  const clock = createVirtualClock()
  const account = createBudgets({ clock, spender: () => 'guest' }).account(id('mallory'), {})
  account.charge({ workMs: 1_000_000 })
  let isReady = false
  const ready = account.ready({}).then(() => (isReady = true))
  await clock.advanceAsync(BUDGET_WAIT_MAX_MS - 1)
  expect(isReady).toBe(false)
  await clock.advanceAsync(2)
  await ready
})

test('when strangers leave too much unread, whoever left most is cut, and nobody that is admitted', () => {
  const clock = createVirtualClock()
  const budgets = createBudgets({ clock, spender: (one) => (one === 'member' ? 'member' : 'stranger') })
  const cut: string[] = []
  const hold = (name: string) => budgets.account(id(name), {}).hold(() => cut.push(name))
  hold('member').set(STRANGERS_UNREAD_MAX_BYTES * 2)
  hold('honest').set(1_000)
  hold('mallory').set(STRANGERS_UNREAD_MAX_BYTES - 1_000)
  expect(cut).toEqual([])
  hold('late').set(300)
  expect(cut).toEqual(['mallory'])
})
