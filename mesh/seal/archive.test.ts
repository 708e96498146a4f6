import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createVirtualClock } from '../../tests/kit/clock.ts'
import { createSeededRandom } from '../../tests/kit/random.ts'
import { CHEAP } from '../../tests/kit/vault.ts'
import { ARCHIVE_CHUNK_BYTES, ARCHIVE_RECORD_MAX_BYTES } from '../base/index.ts'
import {
  aboutArchive,
  createRecoverySecret,
  openArchive,
  recoveryKeys,
  sealArchive,
  type ArchiveKey,
  type ArchiveLock,
  type ArchiveRecord,
} from './index.ts'

const FULL = process.env['PLEXUS_TEST_FULL'] === '1'
const random = createSeededRandom('archive')
const ports = { random, clock: createVirtualClock() }
const pair = recoveryKeys(createRecoverySecret(random)).seal
const LOCK: ArchiveLock = { kind: 'recovery', publicKey: pair.publicKey }
const KEY: ArchiveKey = { kind: 'recovery', pair }

async function gather<Item>(items: AsyncIterable<Item>): Promise<Item[]> {
  const all: Item[] = []
  for await (const item of items) all.push(item)
  return all
}
const whole = async (records: readonly ArchiveRecord[], lock: ArchiveLock = LOCK): Promise<Uint8Array> =>
  new Uint8Array(Buffer.concat(await gather(sealArchive(records, lock, ports))))

/** The bytes in pieces of any size. */
async function* inPieces(bytes: Uint8Array, size = 10_000): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.byteLength; at += size) yield await Promise.resolve(bytes.subarray(at, at + size))
}
const read = (bytes: Uint8Array, key: ArchiveKey = KEY, size?: number): Promise<ArchiveRecord[]> =>
  gather(openArchive(inPieces(bytes, size), key))
const record = (size: number, kind = 'chat/log'): ArchiveRecord => ({ kind, body: random.bytes(size) })
const sealedParts = async (records: readonly ArchiveRecord[]): Promise<Uint8Array[]> =>
  gather(sealArchive(records, LOCK, ports))

describe('an archive', () => {
  test('gives back what was put into it, whatever the sizes of records and pieces', async () => {
    const sizes = fc.array(fc.oneof(fc.nat(200), fc.constantFrom(65_000, 65_500, 65_536, 200_000)), { maxLength: 6 })
    await fc.assert(
      fc.asyncProperty(sizes, fc.constantFrom(1_000, 65_564, 1_000_000), async (bodies, size) => {
        const records = bodies.map((length, at) => record(length, `kind-${String(at)}`))
        expect(await read(await whole(records), KEY, size)).toEqual(records)
      }),
      { numRuns: FULL ? 500 : 12 },
    )
  })

  test('opens with its passphrase or its recovery key, and with no other', async () => {
    const records = [record(100)]
    const passphrase = 'a heron in the rain'
    const byWords = await whole(records)
    const byPassphrase = await whole(records, { kind: 'passphrase', passphrase, cost: CHEAP })
    expect(aboutArchive(byWords)).toEqual({ createdAt: ports.clock.now(), lock: 'recovery' })
    expect(aboutArchive(byPassphrase)).toEqual({ createdAt: ports.clock.now(), lock: 'passphrase' })
    expect(await read(byPassphrase, { kind: 'passphrase', passphrase })).toEqual(records)
    const other = recoveryKeys(createRecoverySecret(random)).seal
    for (const [bytes, key] of [
      [byPassphrase, { kind: 'passphrase', passphrase: 'a heron in the sun' }],
      [byPassphrase, KEY],
      [byWords, { kind: 'passphrase', passphrase }],
      [byWords, { kind: 'recovery', pair: other }],
    ] as const) {
      await expect(read(bytes, key)).rejects.toMatchObject({ code: 'passphrase-wrong' })
    }
    await expect(whole(records, { kind: 'passphrase', passphrase: 'short' })).rejects.toMatchObject({ code: 'usage' })
  })

  test('shows nothing of what is in it', async () => {
    const body = new TextEncoder().encode('the words of a person '.repeat(20))
    const bytes = await whole([{ kind: 'chat/log', body }])
    expect(Buffer.from(bytes).includes('words')).toBe(false)
    expect(Buffer.from(bytes).includes('chat')).toBe(false)
  })

  test('cut anywhere gives an error, never less than was put into it', async () => {
    const bytes = await whole([record(100), record(ARCHIVE_CHUNK_BYTES * 3), record(10)])
    const cuts = new Set([0, 1, 8, 9, 50, bytes.byteLength - 1])
    // and where the parts meet, where it would be easiest to miss
    const headBytes = 9 + (bytes[7] ?? 0) * 256 + (bytes[8] ?? 0)
    for (let at = headBytes; at < bytes.byteLength; at += ARCHIVE_CHUNK_BYTES + 28) cuts.add(at)
    for (const cut of cuts) {
      await expect(read(bytes.subarray(0, cut)), String(cut)).rejects.toMatchObject({
        code: expect.stringMatching(/^(?:integrity|malformed)$/) as string,
      })
    }
  })

  test('with parts moved, doubled, left out, appended, or taken from another does not open', async () => {
    const body = [record(ARCHIVE_CHUNK_BYTES * 3)]
    const [head, a, b, c, last] = (await sealedParts(body)) as [
      Uint8Array,
      Uint8Array,
      Uint8Array,
      Uint8Array,
      Uint8Array,
    ]
    const other = await sealedParts(body)
    expect(await read(new Uint8Array(Buffer.concat([head, a, b, c, last])))).toEqual(body)
    for (const parts of [
      [head, b, a, c, last],
      [head, a, a, b, c, last],
      [head, a, c, last],
      [head, a, b, last],
      [head, last],
      [head],
      [head, a, b, c, last, last],
      [head, a, b, c, last, c],
      [head, a, b, other[3] ?? c, last],
      [other[0] ?? head, a, b, c, last],
    ]) {
      await expect(read(new Uint8Array(Buffer.concat(parts)))).rejects.toMatchObject({
        code: expect.stringMatching(/^(?:integrity|passphrase-wrong)$/) as string,
      })
    }
  })

  test('with any byte changed does not open', async () => {
    const bytes = await whole([record(60)])
    for (let at = 0; at < bytes.byteLength; at++) {
      const changed = bytes.slice()
      changed[at] = (changed[at] ?? 0) ^ (1 << (at % 8))
      await expect(read(changed), `byte ${String(at)}`).rejects.toMatchObject({ name: 'MeshError' })
    }
  })

  test('whatever it is given as one ends in a sentence', async () => {
    const valid = await whole([record(500), record(30)])
    const start = fc.constantFrom(0, 6, 7, 9, 40, 100).map((length) => valid.subarray(0, length))
    await fc.assert(
      fc.asyncProperty(start, fc.uint8Array({ maxLength: 300 }), async (begin, rest) => {
        const bytes = new Uint8Array(Buffer.concat([begin, rest]))
        await expect(read(bytes, KEY, 7)).rejects.toMatchObject({ name: 'MeshError' })
        try {
          aboutArchive(bytes)
        } catch (error) {
          expect(error).toMatchObject({ name: 'MeshError' })
        }
      }),
      { numRuns: FULL ? 100_000 : 500 },
    )
  })

  test('that asks for endless work or memory is refused before either', async () => {
    const bytes = await whole([record(1)], { kind: 'passphrase', passphrase: 'a heron in the rain', cost: CHEAP })
    const text = Buffer.from(bytes).toString('latin1')
    // 19,456 as CBOR, made 2^31
    const greedy = Buffer.from(text.replace('\x19\x4c\x00', '\x1a\x80\x00\x00\x00'), 'latin1')
    greedy.writeUInt16BE(greedy.readUInt16BE(7) + 2, 7)
    const opening = read(new Uint8Array(greedy), { kind: 'passphrase', passphrase: 'a heron in the rain' })
    await expect(opening).rejects.toMatchObject({
      code: 'malformed',
      message: expect.stringContaining('memoryKib') as string,
    })
    await expect(whole([record(ARCHIVE_RECORD_MAX_BYTES + 1)])).rejects.toMatchObject({ code: 'too-large' })
  })

  test('is written and read with little of it in memory at once', async () => {
    const count = FULL ? 400 : 60
    let taken = 0
    function* records(): Generator<ArchiveRecord> {
      for (let at = 0; at < count; at++) {
        taken += 1
        yield { kind: 'blob', body: new Uint8Array(1024 * 1024) }
      }
    }
    let written = 0
    let ahead = 0
    const sealed = sealArchive(records(), LOCK, ports)
    async function* counted(): AsyncGenerator<Uint8Array> {
      for await (const piece of sealed) {
        written += piece.byteLength
        yield piece
      }
    }
    let opened = 0
    for await (const { body } of openArchive(counted(), KEY)) {
      opened += 1
      expect(body.byteLength).toBe(1024 * 1024)
      ahead = Math.max(ahead, taken - opened)
    }
    expect([opened, taken]).toEqual([count, count])
    expect(written).toBeGreaterThan(count * 1024 * 1024)
    expect(ahead).toBeLessThanOrEqual(1)
  }, 60_000)

  test('lets its source go when nobody reads on, and stops when it is told to', async () => {
    const bytes = await whole([record(10), record(ARCHIVE_CHUNK_BYTES * 4)])
    let isReleased = false
    async function* source(): AsyncGenerator<Uint8Array> {
      try {
        yield* inPieces(bytes, 100)
      } finally {
        isReleased = true
      }
    }
    for await (const first of openArchive(source(), KEY)) {
      expect(first.body.byteLength).toBe(10)
      break
    }
    expect(isReleased).toBe(true)
    const signal = AbortSignal.abort()
    await expect(gather(openArchive(inPieces(bytes), KEY, { signal }))).rejects.toMatchObject({ code: 'aborted' })
    await expect(gather(sealArchive([record(1)], LOCK, ports, { signal }))).rejects.toMatchObject({ code: 'aborted' })
  })
})
