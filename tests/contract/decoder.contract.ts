import { describe, expect, it } from 'vitest'
import * as Y from 'yjs'
import type { Decoder } from '../../mesh/sync/index.ts'

/** An honest update of one entry. */
export function honestUpdate(key = 'a-0', bytes = new Uint8Array([1, 2, 3])): Uint8Array {
  const doc = new Y.Doc()
  doc.clientID = 10
  doc.getMap('ops').set(key, bytes)
  return Y.encodeStateAsUpdate(doc)
}

/** What every decoder promises. */
export function decoderContract(name: string, create: () => Promise<Decoder>): void {
  const withDecoder = async (work: (decoder: Decoder) => Promise<void>): Promise<void> => {
    const decoder = await create()
    try {
      await work(decoder)
    } finally {
      await decoder.close()
    }
  }

  describe(`the decoder ${name}`, () => {
    it('describes plain entries, and nothing else further than that it is there', () =>
      withDecoder(async (decoder) => {
        const { structs, deletes } = await decoder.decode(honestUpdate())
        expect(structs).toEqual([
          { chain: 10, clock: 0, length: 1, entry: { root: 'ops', key: 'a-0', bytes: new Uint8Array([1, 2, 3]) } },
        ])
        expect(deletes).toBe(0)
        const doc = new Y.Doc()
        doc.getText('t').insert(0, 'hello')
        doc.getText('t').delete(0, 1)
        const other = await decoder.decode(Y.encodeStateAsUpdate(doc))
        expect(other.structs.every(({ entry }) => entry === undefined)).toBe(true)
        expect(other.deletes).toBe(1)
      }))

    it('says malformed for what is no update, and goes on with the next', () =>
      withDecoder(async (decoder) => {
        await expect(decoder.decode(new Uint8Array([200, 200, 200]))).rejects.toMatchObject({ code: 'malformed' })
        await expect(decoder.decode(new Uint8Array())).rejects.toMatchObject({ code: 'malformed' })
        expect((await decoder.decode(honestUpdate())).structs.length).toBe(1)
      }))

    it('gives every caller its own answer when many ask at once', () =>
      withDecoder(async (decoder) => {
        const answers = await Promise.all(
          Array.from({ length: 200 }, (_, index) => decoder.decode(honestUpdate(`a-${String(index)}`))),
        )
        expect(answers.map(({ structs }) => structs[0]?.entry?.key)).toEqual(
          Array.from({ length: 200 }, (_, index) => `a-${String(index)}`),
        )
      }))

    it('stops for a caller who stopped', () =>
      withDecoder(async (decoder) => {
        const signal = AbortSignal.abort()
        await expect(decoder.decode(honestUpdate(), { signal })).rejects.toMatchObject({ code: 'aborted' })
        expect((await decoder.decode(honestUpdate())).structs.length).toBe(1)
      }))
  })
}
