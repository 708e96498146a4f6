import { expect, test } from 'vitest'
import { isMeshError, MeshError, randomInt, silentLogger, type MeshId, type Random } from '../../mesh/base/index.ts'
import { openLedgerLog } from '../../mesh/identity/ledger/ledger-log.ts'
import { openDocumentLog, type DocumentLog } from '../../mesh/sync/document-log.ts'
import { NO_GROWTH } from '../../mesh/sync/log-growth.ts'
import { createMemoryData, createMemoryStore, type MemoryData, type MemoryStore } from '../kit/memory-store.ts'
import { createSeededRandom } from '../kit/random.ts'

// Every history: writes fail, or fail and are on the disk all the same, in any place and any number of them,
// between which the process goes on, or ends and starts again.

const HISTORIES = 80
const STEPS = 30
const MESH = 'a'.repeat(64) as MeshId

/** A store of which every so many writes fail, some of them after they reached the disk. */
function failing(data: MemoryData, random: Random, oneIn: number): MemoryStore {
  const store = createMemoryStore(data)
  const isHit = (count: number): boolean => randomInt(random, count) === 0
  const faulty =
    <Given extends unknown[], Value>(work: (...given: Given) => Promise<Value>) =>
    async (...given: Given): Promise<Value> => {
      if (!isHit(oneIn)) return work(...given)
      if (isHit(2)) await work(...given)
      throw new MeshError('storage-failed', 'The disk failed.')
    }
  const { put, append, dropLog, delete: remove } = store
  return Object.assign(store, {
    put: faulty(put),
    append: faulty(append),
    dropLog: faulty(dropLog),
    delete: faulty(remove),
  })
}

/** @returns whether the disk took it */
async function tried(work: () => Promise<unknown>): Promise<boolean> {
  try {
    await work()
    return true
  } catch (error) {
    if (!isMeshError(error, 'storage-failed')) throw error
    return false
  }
}

const valueOf = (bytes: Uint8Array | undefined): number => new DataView((bytes ?? new Uint8Array(4)).slice().buffer).getUint32(0) // prettier-ignore
const bytesOf = (value: number): Uint8Array => {
  const bytes = new Uint8Array(4)
  new DataView(bytes.buffer).setUint32(0, value)
  return bytes
}

async function openAnyhow<Value>(open: () => Promise<Value>): Promise<Value> {
  for (;;) {
    let opened: Value | undefined
    if (await tried(async () => void (opened = await open()))) return opened as Value
  }
}

async function documentHistory(seed: number): Promise<void> {
  const random = createSeededRandom(`document log ${String(seed)}`)
  const data = createMemoryData()
  const start = (oneIn: number): Promise<DocumentLog> =>
    openAnyhow(() => openDocumentLog({ store: failing(data, random, oneIn), log: silentLogger }, 'key', {}))
  const acknowledged = new Set<number>()
  let log = await start(Infinity)
  let last = 0
  const read = async (): Promise<number[]> => (await log.read(0, {})).map(({ bytes }) => valueOf(bytes))
  const expectAll = async (): Promise<void> => {
    const values = await read()
    expect(values, `seed ${String(seed)}`).toEqual(expect.arrayContaining([...acknowledged]))
    for (const name of ['index', 'content'] as const) {
      const part = await log.part(name, {})
      // a snapshot of the places up to one says what was there
      if (part === undefined) continue
      expect(part.through).toBeLessThanOrEqual(values.length)
      expect(valueOf(part.bytes), `seed ${String(seed)}`).toBe(values[part.through - 1] ?? 0)
    }
  }
  for (let step = 0; step < STEPS; step++) {
    const values = await read()
    const partAt = (end: readonly number[]): { through: number; bytes: Uint8Array } => ({
      through: end.length,
      bytes: bytesOf(end.at(-1) ?? 0),
    })
    const kind = randomInt(random, 7)
    if (kind <= 1) {
      const value = ++last
      if (await tried(() => log.append([bytesOf(value)], {}))) acknowledged.add(value)
    } else if (kind === 2)
      await tried(() => log.save({ index: partAt(values), content: partAt(values) }, NO_GROWTH, {}))
    else if (kind === 3 || kind === 6) {
      const kept = values.filter((_, index) => index % 5 !== 4)
      // whether it counts is not known where it fails
      for (const value of values) if (!kept.includes(value)) acknowledged.delete(value)
      const parts = randomInt(random, 2) === 0 ? {} : { index: partAt(kept), content: partAt(kept) }
      // tried again at once, as for each opening of a room
      const rewrite = (): Promise<boolean> => tried(() => log.rewrite(kept.map(bytesOf), parts, {}))
      if (!(await rewrite())) await rewrite()
    } else if (kind === 4) await tried(() => log.forgetIndex({}))
    else {
      log = await start(6)
      await expectAll()
    }
  }
  log = await start(Infinity)
  await expectAll()
}

async function ledgerHistory(seed: number): Promise<void> {
  const random = createSeededRandom(`ledger log ${String(seed)}`)
  const data = createMemoryData()
  const start = (oneIn: number): ReturnType<typeof openLedgerLog> =>
    openAnyhow(() => openLedgerLog({ store: failing(data, random, oneIn), log: silentLogger }, MESH))
  const acknowledged = new Set<number>()
  let log = await start(Infinity)
  let last = 0
  const expectAll = async (): Promise<number[]> => {
    const { records, damaged } = await log.read()
    expect(records.map(valueOf), `seed ${String(seed)}`).toEqual(expect.arrayContaining([...acknowledged]))
    expect(damaged).toBe(0)
    return records.map(valueOf)
  }
  for (let step = 0; step < STEPS; step++) {
    const kind = randomInt(random, 4)
    if (kind <= 1) {
      const value = ++last
      if (await tried(() => log.append([bytesOf(value)]))) acknowledged.add(value)
    } else if (kind === 2) {
      const values = await expectAll()
      await tried(() => log.replace([...new Set(values)].map(bytesOf)))
    } else {
      const names = [...data.logs.keys()].filter((name) => !name.startsWith('second/'))
      log = await start(4)
      // one wrong bit in the first of two, once the second is there again
      await expectAll()
      const entries = data.logs.get(names[randomInt(random, names.length || 1)] ?? '') ?? []
      const second = data.logs.get(`second/${names[0] ?? ''}`) ?? []
      if (names.length === 1 && second.length === entries.length && entries.length > 0) {
        Object.assign(entries[randomInt(random, entries.length)] ?? {}, { bytes: undefined })
        log = await start(3)
        await expectAll()
      }
    }
  }
  log = await start(Infinity)
  await expectAll()
}

test('the log of a document loses nothing acknowledged, and no snapshot says what is not so', async () => {
  for (let seed = 0; seed < HISTORIES; seed++) await documentHistory(seed)
})

test('the log of a ledger loses nothing acknowledged, with one damaged place beside it either', async () => {
  for (let seed = 0; seed < HISTORIES; seed++) await ledgerHistory(seed)
})
