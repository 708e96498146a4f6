import { expect, test } from 'vitest'
import { createMemoryStore, tellingGaps, type MemoryData, type WriteFault } from '../../../tests/kit/memory-store.ts'
import { isMeshError, silentLogger, type Logger, type MeshId } from '../../base/index.ts'
import { openLedgerLog } from './ledger-log.ts'

const MESH = 'a'.repeat(64) as MeshId
const record = (value: number): Uint8Array => new Uint8Array(8).fill(value)
const valuesOf = (records: readonly Uint8Array[]): number[] => records.map(([value = 0]) => value).sort((a, b) => a - b)

/** A ledger of three, of whose first log something is changed. */
async function damaged(change: (data: MemoryData) => void): Promise<MemoryData> {
  const store = createMemoryStore()
  const log = await openLedgerLog({ store, log: silentLogger }, MESH)
  for (const value of [1, 2, 3]) await log.append([record(value)])
  change(store.data)
  return store.data
}

const storeOf = (data: MemoryData): ReturnType<typeof createMemoryStore> => tellingGaps(createMemoryStore(data))

async function readAgain(
  data: MemoryData,
  log: Logger = silentLogger,
): Promise<{ readonly values: readonly number[]; readonly damaged: number }> {
  const { records, damaged: count } = await (await openLedgerLog({ store: storeOf(data), log }, MESH)).read()
  return { values: valuesOf(records), damaged: count }
}

const spoil = ({ logs }: MemoryData): void => {
  Object.assign(logs.get(`ledger/${MESH}`)?.[1] ?? {}, { bytes: undefined })
}

/** @returns how many writes there were */
async function mendAndAppend(fault: Omit<WriteFault, 'code'>): Promise<number> {
  const data = await damaged(spoil)
  const store = storeOf(data)
  store.failWrites({ code: 'storage-failed', ...fault })
  const acknowledged = [1, 2, 3]
  // somebody removes a stolen device, and tries again where that fails
  const run = await openLedgerLog({ store, log: silentLogger }, MESH)
  expect(valuesOf((await run.read()).records)).toEqual(acknowledged)
  for (const value of [97, 98, 99]) {
    const isAcknowledged = await run.append([record(value)]).then(
      () => true,
      (error: unknown) => !isMeshError(error, 'storage-failed'),
    )
    if (isAcknowledged) acknowledged.push(value)
  }
  for (let start = 0; start < 2; start++)
    expect((await readAgain(data)).values, JSON.stringify(fault)).toEqual(expect.arrayContaining(acknowledged))
  return store.writeCount
}

test.each([
  ['fails', {}],
  ['is torn', { torn: true }],
  ['and all after it are refused for lack of room', { isFull: true, count: Infinity }],
])('what is appended after damage was mended is there at the next start, whichever write %s', async (_how, fault) => {
  const writes = await mendAndAppend({ atWrite: Infinity })
  expect(writes).toBeGreaterThan(10)
  for (let atWrite = 1; atWrite <= writes; atWrite++) await mendAndAppend({ atWrite, ...fault })
})

test('an entry that is gone from both places, before another, is told', async () => {
  const told: string[] = []
  const log: Logger = { ...silentLogger, error: (message) => told.push(message) }
  const data = await damaged(({ logs }) => {
    for (const entries of logs.values()) entries.splice(1, 1)
  })
  expect(await readAgain(data, log)).toEqual({ values: [1, 3], damaged: 1 })
  expect(told).toHaveLength(1)
})

test.each([
  ['before another', 1],
  ['at the end', 2],
])('an entry that is gone from one place, %s, is brought back from the other', async (_where, at) => {
  for (const place of ['', 'second/']) {
    const data = await damaged(({ logs }) => logs.get(`${place}ledger/${MESH}`)?.splice(at, 1))
    expect(await readAgain(data)).toEqual({ values: [1, 2, 3], damaged: 0 })
    // and so is one more, from the place that was mended
    for (const [name, entries] of data.logs) if (!name.startsWith('second/') === (place !== '')) entries.splice(at, 1)
    expect(await readAgain(data)).toEqual({ values: [1, 2, 3], damaged: 0 })
  }
})
