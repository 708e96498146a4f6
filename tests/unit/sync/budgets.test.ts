import { expect, test } from 'vitest'
import {
  silentLogger,
  SYNC_BUDGET_BURST_BYTES,
  SYNC_BUDGET_BYTES_PER_S,
  SYNC_BUDGET_ENVELOPE_BYTES,
  SYNC_BUDGET_MAX_BYTES,
  SYNC_OPERATIONS_MAX,
  type DeviceId,
} from '../../../mesh/base/index.ts'
import { loadBudgets, type Budgets, type KeepCost } from '../../../mesh/sync/budgets.ts'
import { createVirtualClock, type VirtualClock } from '../../kit/clock.ts'
import { createMemoryStore } from '../../kit/memory-store.ts'

const MALLORY = 'mallory' as DeviceId
/** What one operation takes in an open room was measured: Yjs, the view, the room's document and its fold. */
const HEAP_BYTES_PER_OPERATION = 1_500
/** A short message: its place and its text, in one envelope with its head and signature. */
const MESSAGE: KeepCost = { bytes: 650, operations: 2, chains: 0 }
/** What is known of a chain of one envelope was measured after a start. */
const HEAP_BYTES_PER_CHAIN = 1_533

async function scene(): Promise<{ budgets: Budgets; clock: VirtualClock }> {
  const clock = createVirtualClock()
  const writers = { personOf: (device: DeviceId) => device }
  const ports = { store: createMemoryStore(), clock, log: silentLogger, writers, signer: { id: 'alice' as DeviceId } }
  return { budgets: await loadBudgets(ports as never, {}), clock }
}

/** Sends until so many came in or so much time went by. @returns how many, and how long it took */
function send(
  { budgets, clock }: Awaited<ReturnType<typeof scene>>,
  cost: KeepCost,
  most: number,
  withinMs = Infinity,
) {
  const startedAt = clock.monotonic()
  let count = 0
  while (count < most && clock.monotonic() - startedAt < withinMs) {
    const waitMs = budgets.spend(MALLORY, MALLORY, cost)
    if (waitMs === 0) count += 1
    else clock.advance(waitMs)
  }
  return { count, ms: clock.monotonic() - startedAt }
}

test('ten thousand messages of somebody come in as fast as their bytes let them', async () => {
  const { count, ms } = send(await scene(), MESSAGE, 10_000)
  expect(count).toBe(10_000)
  const bytes = 10_000 * (MESSAGE.bytes + SYNC_BUDGET_ENVELOPE_BYTES)
  expect(ms).toBeLessThanOrEqual(((bytes - SYNC_BUDGET_BURST_BYTES) / SYNC_BUDGET_BYTES_PER_S) * 1_000 + 1_000)
})

test('of the smallest operations a person brings no more than fit into memory, in a day of trying', async () => {
  const smallest: KeepCost = { bytes: SYNC_OPERATIONS_MAX * 80, operations: SYNC_OPERATIONS_MAX, chains: 0 }
  const world = await scene()
  const hour = send(world, smallest, Infinity, 60 * 60_000)
  expect(hour.count * SYNC_OPERATIONS_MAX * HEAP_BYTES_PER_OPERATION).toBeLessThan(1.1 * SYNC_BUDGET_MAX_BYTES)
  const day = send(world, smallest, Infinity, 23 * 60 * 60_000)
  expect((hour.count + day.count) * SYNC_OPERATIONS_MAX * HEAP_BYTES_PER_OPERATION).toBeLessThan(
    1.6 * SYNC_BUDGET_MAX_BYTES,
  )
})

test('nor of chains of one empty envelope each', async () => {
  const { count } = send(await scene(), { bytes: 271, operations: 0, chains: 1 }, Infinity, 24 * 60 * 60_000)
  expect(count * HEAP_BYTES_PER_CHAIN).toBeLessThan(1.6 * SYNC_BUDGET_MAX_BYTES)
})
