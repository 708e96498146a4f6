import { describe, expect, test } from 'vitest'
import { createMemoryStore } from '../../tests/kit/memory-store.ts'
import { createSeededRandom } from '../../tests/kit/random.ts'
import { LOG_GAP_MAX_ENTRIES } from '../base/index.ts'
import { createSealedStore, secretKey, type SecretKey } from './index.ts'

const random = createSeededRandom('sealed store')
const words = new TextEncoder().encode('the words of a person')
const key = await secretKey(random.bytes(32))

describe('a sealed store', () => {
  test('shows nobody below it what it holds, and names its keys only', async () => {
    const inner = createMemoryStore()
    const store = createSealedStore(inner, key, random)
    await store.put('chats/one', words)
    await store.append('log/one', [words, words])
    const boxes = [...inner.data.records.values(), ...(inner.data.logs.get('sealed/log/one') ?? []).map((e) => e.bytes)]
    expect(boxes).toHaveLength(3)
    for (const box of boxes) expect(Buffer.from(box).includes(Buffer.from(words.subarray(0, 4)))).toBe(false)
    expect(new Set(boxes.map((box) => Buffer.from(box).toString('hex'))).size).toBe(3)
    expect([...inner.data.records.keys()]).toEqual(['sealed/chats/one'])
  })

  test('does not open what was moved to another key or log, changed, cut, or sealed with another key', async () => {
    const inner = createMemoryStore()
    const store = createSealedStore(inner, key, random)
    await store.put('a', words)
    await store.append('a', [words])
    const record = inner.data.records.get('sealed/a') ?? new Uint8Array()
    const [entry] = inner.data.logs.get('sealed/a') ?? []
    inner.data.records.set('sealed/b', record)
    inner.data.records.set(
      'sealed/c',
      record.map((byte, at) => (at === 20 ? byte ^ 1 : byte)),
    )
    inner.data.records.set('sealed/d', record.subarray(0, 10))
    // a record where a log entry belongs, and the other way round
    inner.data.records.set('sealed/e', entry?.bytes ?? new Uint8Array())
    inner.data.logs.set('sealed/b', [{ sequence: 1, bytes: entry?.bytes ?? new Uint8Array() }])
    inner.data.logs.set('sealed/c', [{ sequence: 1, bytes: record }])
    for (const name of ['b', 'c', 'd', 'e']) {
      await expect(store.get(name)).rejects.toMatchObject({ code: 'storage-corrupt', detail: { name } })
    }
    expect(await store.readLog('b', 0)).toEqual([{ sequence: 1, bytes: undefined }])
    expect(await store.readLog('c', 0)).toEqual([{ sequence: 1, bytes: undefined }])
    const read = await store.list('')
    expect(read.map(({ key: name, value }) => [name, value])).toEqual([
      ['a', words],
      ...['b', 'c', 'd', 'e'].map((name) => [name, undefined]),
    ])
    const other = createSealedStore(inner, await secretKey(random.bytes(32)), random)
    await expect(other.get('a')).rejects.toMatchObject({ code: 'storage-corrupt' })
    expect(await store.get('a')).toEqual(words)
  })

  test('tells each damaged entry of a log as damaged, and gives all others', async () => {
    const inner = createMemoryStore()
    const store = createSealedStore(inner, key, random)
    const entries = Array.from({ length: 5 }, (_, index) => new Uint8Array([index]))
    await store.append('log', entries)
    const stored = inner.data.logs.get('sealed/log') ?? []
    for (const at of [0, 3]) {
      const box = stored[at]?.bytes ?? new Uint8Array()
      box[box.length >> 1] = (box[box.length >> 1] ?? 0) ^ 1
    }
    expect((await store.readLog('log', 0)).map(({ sequence, bytes }) => [sequence, bytes?.[0]])).toEqual([
      [1, undefined],
      [2, 1],
      [3, 2],
      [4, undefined],
      [5, 4],
    ])
    expect((await store.readLog('log', 3, { through: 4 })).map(({ bytes }) => bytes)).toEqual([undefined])
    expect(await store.append('log', [words])).toBe(6)
  })

  test('tells each entry as damaged that is gone from before another, and no more than so many of a false number', async () => {
    const inner = createMemoryStore()
    const store = createSealedStore(inner, key, random)
    await store.append(
      'log',
      Array.from({ length: 6 }, (_, index) => new Uint8Array([index])),
    )
    const stored = inner.data.logs.get('sealed/log') ?? []
    stored.splice(0, 1)
    stored.splice(2, 1)
    const read = async (after: number): Promise<unknown> =>
      (await store.readLog('log', after)).map(({ sequence, bytes }) => [sequence, bytes?.[0]])
    const expected = [1, 2, 3, 4, 5, 6].map((sequence) => [sequence, [1, 4].includes(sequence) ? undefined : sequence - 1]) // prettier-ignore
    expect(await read(0)).toEqual(expected)
    expect(await read(3)).toEqual(expected.slice(3))
    expect(await store.readLog('log', 6)).toEqual([])
    // one wrong bit in the number of the last
    Object.assign(stored.at(-1) ?? {}, { sequence: 8_000_000_000_000_006 })
    expect(await store.readLog('log', 5)).toHaveLength(LOG_GAP_MAX_ENTRIES + 1)
  })

  test('that cannot be read at all still says so, and calls nothing damaged', async () => {
    const inner = createMemoryStore()
    const store = createSealedStore(inner, key, random)
    await store.put('a', words)
    inner.failReads('storage-failed')
    await expect(store.list('')).rejects.toMatchObject({ code: 'storage-failed' })
    await expect(store.get('a')).rejects.toMatchObject({ code: 'storage-failed' })
  })

  test('hands writes on in the order of the calls, however long each takes to seal', async () => {
    const release: (() => void)[] = []
    const slow: SecretKey = {
      seal: async (plain, context, chance) => {
        const box = await key.seal(plain, context, chance)
        await new Promise<void>((resolve) => release.push(resolve))
        return box
      },
      open: (box, context) => key.open(box, context),
    }
    const store = createSealedStore(createMemoryStore(), slow, random)
    const done = Promise.all([
      store.put('key', new Uint8Array([1])),
      store.put('key', new Uint8Array([2])),
      store.append('log', [new Uint8Array([1])]),
      store.append('log', [new Uint8Array([2])]),
      store.get('key'),
    ])
    while (release.length < 4) await Promise.resolve().then(() => new Promise(setImmediate))
    for (const go of release.reverse()) go()
    expect((await done)[4]).toEqual(new Uint8Array([2]))
    expect((await store.readLog('log', 0)).map(({ bytes }) => [...(bytes ?? [])])).toEqual([[1], [2]])
  })

  test('one write that fails stops no other', async () => {
    const inner = createMemoryStore()
    const store = createSealedStore(inner, key, random)
    inner.failWrites({ code: 'storage-full', atWrite: 1 })
    const [first, second] = await Promise.allSettled([store.put('a', words), store.put('b', words)])
    expect(first).toMatchObject({ status: 'rejected', reason: { code: 'storage-full' } })
    expect(second.status).toBe('fulfilled')
    expect(await store.get('b')).toEqual(words)
  })
})
