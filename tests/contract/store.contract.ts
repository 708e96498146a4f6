import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Store } from '../../mesh/base/index.ts'

/** A place that outlives one opening of a store. */
export interface StorePlace {
  /** Opens the store of this place; the one before is closed. */
  open(): Promise<Store>
  /** Closes what is open and clears the place away. */
  clear(): Promise<void>
}

const bytes = (...values: number[]): Uint8Array => new Uint8Array(values)
const plain = (value: Uint8Array | undefined): number[] | undefined => (value === undefined ? undefined : [...value])

/**
 * What every implementation of the Store port promises.
 * @param options `longLog`: entries of its longest log; more than 2^16 where a store makes numbers of its own
 */
export function storeContract(
  name: string,
  createPlace: () => Promise<StorePlace>,
  { longLog = 66_000 }: { readonly longLog?: number } = {},
): void {
  const withStore = async (work: (store: Store, place: StorePlace) => Promise<void>): Promise<void> => {
    const place = await createPlace()
    try {
      await work(await place.open(), place)
    } finally {
      await place.clear()
    }
  }

  describe(`the store ${name}`, () => {
    it('gives back what was put, and nothing for what was not', () =>
      withStore(async (store) => {
        await store.put('a/one', bytes(1, 2, 3))
        expect(plain(await store.get('a/one'))).toEqual([1, 2, 3])
        expect(await store.get('a/two')).toBeUndefined()
        await store.put('a/one', bytes())
        expect(plain(await store.get('a/one'))).toEqual([])
        await store.delete('a/one')
        await store.delete('never/there')
        expect(await store.get('a/one')).toBeUndefined()
      }))

    it('lists the records of a prefix in the order of their keys, and no others', () =>
      withStore(async (store) => {
        for (const key of ['b/2', 'b/10', 'a/1', 'b/1', 'b', 'c/1', 'b-1', 'b0'])
          await store.put(key, bytes(key.length))
        expect((await store.list('b/')).map(({ key }) => key)).toEqual(['b/1', 'b/10', 'b/2'])
        expect((await store.list('b')).map(({ key }) => key)).toEqual(['b', 'b-1', 'b/1', 'b/10', 'b/2', 'b0'])
        expect(await store.list('d')).toEqual([])
        expect((await store.list('')).length).toBe(8)
      }))

    it('numbers the entries of a log from 1, without gaps', () =>
      withStore(async (store) => {
        expect(await store.append('log/a', [bytes(1), bytes(2)])).toBe(2)
        expect(await store.append('log/a', [bytes(3)])).toBe(3)
        expect(await store.append('log/a', [])).toBe(3)
        const all = await store.readLog('log/a', 0)
        expect(all.map(({ sequence, bytes: value }) => [sequence, ...(value ?? [])])).toEqual([
          [1, 1],
          [2, 2],
          [3, 3],
        ])
        expect((await store.readLog('log/a', 2)).map(({ sequence }) => sequence)).toEqual([3])
        expect(await store.readLog('log/a', 3)).toEqual([])
        expect((await store.readLog('log/a', 0, { through: 2 })).map(({ sequence }) => sequence)).toEqual([1, 2])
        expect((await store.readLog('log/a', 1, { through: 2 })).map(({ sequence }) => sequence)).toEqual([2])
        expect(await store.readLog('log/a', 2, { through: 2 })).toEqual([])
      }))

    it('keeps logs apart whose names begin alike, and apart from records', () =>
      withStore(async (store) => {
        await store.append('log', [bytes(1)])
        await store.append('log/a', [bytes(2)])
        await store.append('log-a', [bytes(3)])
        await store.put('log', bytes(4))
        expect((await store.readLog('log', 0)).map((entry) => plain(entry.bytes))).toEqual([[1]])
        await store.dropLog('log')
        expect(await store.readLog('log', 0)).toEqual([])
        expect((await store.readLog('log/a', 0)).map((entry) => plain(entry.bytes))).toEqual([[2]])
        expect((await store.readLog('log-a', 0)).map((entry) => plain(entry.bytes))).toEqual([[3]])
        expect(plain(await store.get('log'))).toEqual([4])
        expect(await store.append('log', [bytes(5)])).toBe(1)
      }))

    it(`orders a log by number also past ten and past ${String(longLog - 1)} entries`, () =>
      withStore(async (store) => {
        for (let start = 0; start < longLog; start += 6_000) {
          await store.append(
            'log/long',
            Array.from({ length: Math.min(6_000, longLog - start) }, (_, index) => bytes((start + index) % 251)),
          )
        }
        const read = await store.readLog('log/long', 0)
        expect(read.length).toBe(longLog)
        expect(
          read.every(({ sequence, bytes: value }, index) => sequence === index + 1 && value?.[0] === index % 251),
        ).toBe(true)
      }))

    it('gives every entry its own number when many are appended at once', () =>
      withStore(async (store) => {
        const last = await Promise.all(
          Array.from({ length: 40 }, (_, index) => store.append('log/a', [bytes(index), bytes(index)])),
        )
        expect(new Set(last).size).toBe(40)
        const read = await store.readLog('log/a', 0)
        expect(read.map(({ sequence }) => sequence)).toEqual(Array.from({ length: 80 }, (_, index) => index + 1))
        // the two entries of one append stand together
        for (let index = 0; index < 80; index += 2) expect(read[index]?.bytes).toEqual(read[index + 1]?.bytes)
      }))

    it('copies what it is given and gives away what it returns', () =>
      withStore(async (store) => {
        const given = bytes(1, 2, 3)
        const put = store.put('key', given)
        const appended = store.append('log/a', [given])
        given.fill(9)
        await put
        await appended
        const first = await store.get('key')
        expect(plain(first)).toEqual([1, 2, 3])
        first?.fill(7)
        expect(plain(await store.get('key'))).toEqual([1, 2, 3])
        const [entry] = await store.readLog('log/a', 0)
        expect(plain(entry?.bytes)).toEqual([1, 2, 3])
        entry?.bytes?.fill(7)
        expect(plain((await store.readLog('log/a', 0))[0]?.bytes)).toEqual([1, 2, 3])
      }))

    it('takes a view into a larger buffer for what it shows, not for the whole', () =>
      withStore(async (store) => {
        const view = bytes(0, 1, 2, 3, 4).subarray(1, 3)
        await store.put('key', view)
        await store.append('log/a', [view])
        expect(plain(await store.get('key'))).toEqual([1, 2])
        expect(plain((await store.readLog('log/a', 0))[0]?.bytes)).toEqual([1, 2])
      }))

    it('remembers everything after it was closed and opened again', () =>
      withStore(async (store, place) => {
        await store.put('key', bytes(1))
        await store.append('log/a', [bytes(1), bytes(2)])
        await store.close()
        const again = await place.open()
        expect(plain(await again.get('key'))).toEqual([1])
        expect(await again.append('log/a', [bytes(3)])).toBe(3)
        expect((await again.readLog('log/a', 0)).map((entry) => plain(entry.bytes))).toEqual([[1], [2], [3]])
      }))

    it('does nothing for a caller who stopped before, and is refused with a sentence once closed', () =>
      withStore(async (store) => {
        const signal = AbortSignal.abort()
        await expect(store.put('key', bytes(1), { signal })).rejects.toMatchObject({ code: 'aborted' })
        await expect(store.append('log/a', [bytes(1)], { signal })).rejects.toMatchObject({ code: 'aborted' })
        await expect(store.get('key', { signal })).rejects.toMatchObject({ code: 'aborted' })
        expect(await store.get('key')).toBeUndefined()
        await store.close()
        await store.close()
        await expect(store.get('key')).rejects.toMatchObject({ code: 'storage-failed' })
        await expect(store.append('log/a', [bytes(1)])).rejects.toMatchObject({ code: 'storage-failed' })
      }))

    it('behaves as a map and lists would, whatever is done to it', () =>
      fc.assert(
        fc.asyncProperty(fc.array(step, { maxLength: 30 }), (steps) =>
          withStore(async (store) => {
            const records = new Map<string, number[]>()
            const logs = new Map<string, number[][]>()
            for (const { kind, key, value } of steps) {
              if (kind === 'put') {
                await store.put(key, bytes(...value))
                records.set(key, value)
              } else if (kind === 'delete') {
                await store.delete(key)
                records.delete(key)
              } else if (kind === 'append') {
                const log = [...(logs.get(key) ?? []), value]
                expect(await store.append(key, [bytes(...value)])).toBe(log.length)
                logs.set(key, log)
              } else {
                await store.dropLog(key)
                logs.delete(key)
              }
            }
            for (const key of KEYS) {
              expect(plain(await store.get(key))).toEqual(records.get(key))
              expect((await store.readLog(key, 0)).map((entry) => plain(entry.bytes))).toEqual(logs.get(key) ?? [])
            }
          }),
        ),
        { numRuns: 15 },
      ))
  })
}

const KEYS = ['a', 'a/b', 'a/c', 'a-b', 'b'] as const
const step = fc.record({
  kind: fc.constantFrom('put', 'delete', 'append', 'drop'),
  key: fc.constantFrom(...KEYS),
  value: fc.array(fc.nat({ max: 255 }), { maxLength: 4 }),
})
