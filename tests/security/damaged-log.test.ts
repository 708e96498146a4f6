import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { mendLevelLogs } from '../../helper/ports/level-log.ts'
import { openLevelStore } from '../../helper/ports/level-store.ts'
import { silentLogger, type Logger } from '../../mesh/base/index.ts'
import { createSeededRandom } from '../kit/random.ts'

// LevelDB drops what it cannot read of its newest log, and opens without a word.

const random = createSeededRandom('damaged log')
const RECORDS = 300
const PLACES = 30

let root = ''
let whole = ''
let count = 0

const nameOf = (index: number): string => `key/${String(index).padStart(3, '0')}`

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'plexus-damaged-log-'))
  whole = join(root, 'whole')
  const store = await openLevelStore(whole)
  // large ones lie in several blocks
  for (let index = 0; index < RECORDS; index++)
    await store.put(nameOf(index), random.bytes(index % 50 === 7 ? 40_000 : 300))
  await store.close()
})
afterAll(async () => {
  await rm(root, { recursive: true, force: true })
})

/** A copy of the store whose newest log, or list of tables, was changed. */
async function damaged(
  change: (bytes: Buffer) => unknown,
  { kind = '.log', isNoted = true }: { readonly kind?: '.log' | 'MANIFEST'; readonly isNoted?: boolean } = {},
): Promise<string> {
  const directory = join(root, String(count++))
  await cp(whole, directory, { recursive: true })
  const name = (await readdir(directory)).find((one) => one.includes(kind)) ?? ''
  const bytes = await readFile(join(directory, name))
  const changed = change(bytes)
  await writeFile(join(directory, name), changed instanceof Buffer ? changed : bytes)
  // how much was acknowledged
  if (!isNoted) await rm(join(directory, 'LENGTH'))
  return directory
}

const GONE = 'error: A part of what was stored last is damaged and gone'
const CUT = 'warn: The last thing that was being stored is not whole and is left out.'

/** Where a record of a log begins and ends, counted from the end. */
function spanOf(bytes: Buffer, index: number): [start: number, end: number] {
  const spans: [number, number][] = []
  for (let at = 0; at + 7 <= bytes.length;) {
    const left = 32_768 - (at % 32_768)
    if (left >= 7) spans.push([at, at + 7 + bytes.readUInt16LE(at + 4)])
    at = left < 7 ? at + left : (spans.at(-1)?.[1] ?? 0)
  }
  return spans.at(index) ?? [0, 0]
}

function listening(): { readonly log: Logger; readonly told: string[] } {
  const told: string[] = []
  const log: Logger = {
    ...silentLogger,
    warn: (message) => told.push(`warn: ${message}`),
    error: (message) => told.push(`error: ${message}`),
    child: () => log,
  }
  return { log, told }
}

async function contentOf(directory: string, log: Logger = silentLogger): Promise<Map<string, string>> {
  const store = await openLevelStore(directory, { log })
  const records = await store.list('key/')
  await store.close()
  return new Map(records.map(({ key, value }) => [key, Buffer.from(value).toString('hex')]))
}

describe('the newest log of a store', () => {
  test('with one flipped bit, wherever it is, has everything that was acknowledged, and it is told', async () => {
    const before = await contentOf(await damaged(() => undefined))
    expect(before.size).toBe(RECORDS)
    const size = (await readFile(join(whole, (await readdir(whole)).find((one) => one.endsWith('.log')) ?? '')))
      .byteLength
    // the head of the first record, some in the middle, and the last byte
    const places = [
      ...Array.from({ length: 8 }, (_, at) => at),
      ...Array.from({ length: PLACES }, () => new DataView(random.bytes(4).buffer).getUint32(0) % size),
      size - 1,
    ]
    for (const [index, at] of places.entries()) {
      const { log, told } = listening()
      const directory = await damaged((bytes) => bytes.writeUInt8(bytes.readUInt8(at) ^ (1 << (index % 8)), at))
      expect(await contentOf(directory, log), `bit ${String(index % 8)} of byte ${String(at)}`).toEqual(before)
      expect(told.join(), `byte ${String(at)}`).toMatch(/put right/)
      await rm(directory, { recursive: true })
    }
  })

  test('with a damaged piece says loudly that something is gone, and has the rest', async () => {
    const { log, told } = listening()
    const directory = await damaged((bytes) => bytes.fill(0xa5, 100_000, 100_512))
    const after = await contentOf(directory, log)
    expect(after.size).toBeLessThan(RECORDS)
    expect(after.size).toBeGreaterThan(RECORDS / 2)
    expect(told.join()).toContain(GONE)
  })

  test('that was cut in its last write says so, and nothing that was acknowledged before is missing', async () => {
    const { log, told } = listening()
    const directory = await damaged((bytes) => bytes.subarray(0, bytes.byteLength - 20), { isNoted: false })
    expect((await contentOf(directory, log)).size).toBe(RECORDS - 1)
    expect(told).toEqual([CUT])
  })

  test('that was cut in a write that nobody was told of loses nothing, and nothing is called lost', async () => {
    const { log, told } = listening()
    const directory = await damaged((bytes) =>
      Buffer.concat([bytes, bytes.subarray(spanOf(bytes, -1)[0]).subarray(0, 200)]),
    )
    expect((await contentOf(directory, log)).size).toBe(RECORDS)
    expect(told).toEqual([CUT])
  })

  // what a disk gives for a block that it lost, and what LevelDB takes for room that was not used
  test.each<[string, (bytes: Buffer) => Buffer]>([
    ['zeros for a block in the middle', (bytes) => bytes.fill(0, 65_536, 98_304)],
    ['zeros for one record', (bytes) => bytes.fill(0, ...spanOf(bytes, -50))],
    ['zeros for the head of one', (bytes) => bytes.fill(0, spanOf(bytes, -50)[0], spanOf(bytes, -50)[0] + 7)],
    ['zeros up to its end', (bytes) => bytes.fill(0, spanOf(bytes, -10)[0])],
    ['an end before it, at a record', (bytes) => bytes.subarray(0, spanOf(bytes, -40)[0])],
  ])('that has %s says loudly that something acknowledged is gone', async (_what, change) => {
    const { log, told } = listening()
    expect((await contentOf(await damaged(change), log)).size).toBeLessThan(RECORDS)
    expect(told.join()).toContain(GONE)
    expect(told.join()).not.toContain(CUT)
  })

  test('tells how much is gone also of a process that was killed', async () => {
    const directory = join(root, String(count++))
    const store = await openLevelStore(directory)
    for (let index = 0; index < 100; index++) await store.put(nameOf(index), random.bytes(300))
    const copy = join(root, String(count++))
    await cp(directory, copy, { recursive: true })
    await store.close()
    const name = (await readdir(copy)).find((one) => one.endsWith('.log')) ?? ''
    const bytes = await readFile(join(copy, name))
    for (const [end, expected] of [
      [bytes.byteLength, []],
      [spanOf(bytes, -50)[0], [expect.stringContaining(GONE)]],
    ] as const) {
      const { log, told } = listening()
      const place = join(root, String(count++))
      await cp(copy, place, { recursive: true })
      await writeFile(join(place, name), bytes.subarray(0, end))
      expect((await contentOf(place, log)).size === 100).toBe(expected.length === 0)
      expect(told).toEqual(expected)
    }
  })

  test('that is whole is left as it is, without a word', async () => {
    const { log, told } = listening()
    expect(await mendLevelLogs(whole, log)).toEqual({ mended: 0, holes: 0, isEndUnreadable: false })
    expect(told).toEqual([])
  })
})

test('the list of a store’s files with one flipped bit does not keep it from opening', async () => {
  const { log, told } = listening()
  const directory = await damaged((bytes) => bytes.writeUInt8(bytes.readUInt8(30) ^ 4, 30), { kind: 'MANIFEST' })
  expect((await contentOf(directory, log)).size).toBe(RECORDS)
  expect(told.join()).toMatch(/put right/)
})
