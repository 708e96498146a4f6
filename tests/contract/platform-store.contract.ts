import { describe, expect, it } from 'vitest'
import type { PlatformStore } from '../../mesh/base/index.ts'

/** What a store of a platform promises beyond the contract of Store. */
export function platformStoreContract(name: string, open: () => Promise<PlatformStore>): void {
  describe(`the platform store ${name}`, () => {
    it('names every log that holds an entry, once and in order, and no records', async () => {
      const store = await open()
      expect(await store.logs()).toEqual([])
      for (const log of ['chats/log/b', 'chats/log/a', 'chats', 'chats-log', 'a']) {
        await store.append(log, [new Uint8Array([1]), new Uint8Array([2])])
      }
      await store.append('empty', [])
      await store.put('record', new Uint8Array([1]))
      expect(await store.logs()).toEqual(['a', 'chats', 'chats-log', 'chats/log/a', 'chats/log/b'])
      await store.dropLog('chats')
      expect(await store.logs()).toEqual(['a', 'chats-log', 'chats/log/a', 'chats/log/b'])
      await store.close()
    })

    it('keeps all that is there when its files are tidied', async () => {
      const store = await open()
      await store.append('log', [new Uint8Array([1])])
      await store.put('record', new Uint8Array([1]))
      await store.put('gone', new Uint8Array([1]))
      await store.delete('gone')
      await store.scrub()
      expect((await store.list('')).map(({ key }) => key)).toEqual(['record'])
      expect(await store.append('log', [new Uint8Array([2])])).toBe(2)
      expect((await store.readLog('log', 0)).map(({ bytes }) => [...bytes])).toEqual([[1], [2]])
      await store.close()
      await expect(store.logs()).rejects.toMatchObject({ code: 'storage-failed' })
      await expect(store.scrub()).rejects.toMatchObject({ code: 'storage-failed' })
    })
  })
}
