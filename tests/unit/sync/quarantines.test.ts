import { expect, test } from 'vitest'
import { asId, silentLogger, SYNC_QUARANTINES_MAX, type DeviceId, type DocumentId } from '../../../mesh/base/index.ts'
import { loadDeviceKey } from '../../../mesh/identity/index.ts'
import { documentKey, type DocumentName } from '../../../mesh/sync/index.ts'
import { loadQuarantines } from '../../../mesh/sync/quarantines.ts'
import { createVirtualClock } from '../../kit/clock.ts'
import { createMemoryStore } from '../../kit/memory-store.ts'
import { createSeededRandom } from '../../kit/random.ts'
import { scopeOf } from '../../kit/sync-peers.ts'

const random = createSeededRandom('quarantines')
const device = async (): Promise<DeviceId> => (await loadDeviceKey(createMemoryStore(), random)).id
const document = (number: number): DocumentName => ({
  id: asId<DocumentId>(`room-${String(number)}`),
  kind: 'operations',
  scope: scopeOf('mesh'),
})

test('who is cut off again and again, with all devices of a person, gets away with nothing', async () => {
  const store = createMemoryStore()
  const ports = { store, clock: createVirtualClock(), log: silentLogger }
  const quarantines = await loadQuarantines(ports, {})
  const other = await device()
  await quarantines.add(document(0), other, 'It did what nobody may.', {})
  const devices = await Promise.all(Array.from({ length: 8 }, device))
  const times = SYNC_QUARANTINES_MAX * 2
  for (let count = 0; count < times; count++)
    await quarantines.add(document(count), devices[count % devices.length] as DeviceId, 'It did what nobody may.', {})
  for (const seen of [quarantines, await loadQuarantines(ports, {})]) {
    for (let count = 0; count < times; count++)
      expect(seen.has(documentKey(document(count)), devices[count % devices.length] as DeviceId)).toBe(true)
    // nor does it push anybody else out
    expect(seen.has(documentKey(document(0)), other)).toBe(true)
    expect(seen.has(documentKey(document(1)), other)).toBe(false)
  }
  expect([...store.data.records.keys()].filter((key) => key.startsWith('sync/quarantine/')).length).toBeLessThan(
    SYNC_QUARANTINES_MAX + 2,
  )
  const [first = other] = devices
  await quarantines.lift(document(0), first, {})
  expect((await loadQuarantines(ports, {})).has(documentKey(document(0)), first)).toBe(false)
})
