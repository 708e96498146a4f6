import { expect, test } from 'vitest'
import { asId, silentLogger, SYNC_LATE_ENVELOPES, type DeviceId, type ScopeId } from '../../../mesh/base/index.ts'
import { createLateComings, dropLateComings } from '../../../mesh/sync/late.ts'
import { encode } from '../../../mesh/wire/index.ts'
import { createMemoryStore } from '../../kit/memory-store.ts'
import { syncPorts, createTestScopes } from '../../kit/sync-peers.ts'
import { createSeededRandom } from '../../kit/random.ts'
import { createVirtualClock } from '../../kit/clock.ts'

test('what came late is counted on where an earlier version wrote it down, and gone with its document', async () => {
  const store = createMemoryStore()
  const random = createSeededRandom('late')
  const clock = createVirtualClock()
  const { signer, writers } = await syncPorts({ scopes: createTestScopes(random, clock), clock, store, random })
  const [author, keeper, other] = [signer.id, asId<DeviceId>('keeper'), asId<DeviceId>('other')]
  await store.put(
    'sync/late/d0',
    encode([{ author, by: keeper, envelopes: SYNC_LATE_ENVELOPES - 1, bytes: 1, isNew: false }]),
  )
  const load = () =>
    createLateComings(
      { key: 'd0', scope: asId<ScopeId>('mesh'), hasAny: () => true, heldOf: () => 1 },
      { store, log: silentLogger, writers, absences: { elapsedMs: () => 0, close: () => undefined } },
    )
  const late = load()
  expect(await late.isOpenTo(author, keeper, {})).toBe(true)
  late.count({ head: { author, sequence: 1 }, chain: 1, bytes: new Uint8Array(1) }, keeper)
  await late.save({})
  late.settle()
  for (const one of [late, load()])
    expect([await one.isOpenTo(author, keeper, {}), await one.isOpenTo(author, other, {})]).toEqual([false, true])
  await dropLateComings({ store }, 'd0', {})
  expect([...store.data.records.keys()]).toEqual([])
})
