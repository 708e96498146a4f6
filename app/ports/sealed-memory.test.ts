import { describe, expect, it } from 'vitest'
import { silentLogger, type Store } from '../../mesh/base/index.ts'
import { createMemoryData, createMemoryStore } from '../../tests/kit/memory-store.ts'
import { openSealedMemory } from './sealed-memory.ts'

/** A local storage as browsers have it: its texts are its own properties. */
function localStorageOf(texts: Record<string, string>): Storage {
  const methods = {
    getItem: (name: string) => texts[name] ?? null,
    removeItem: (name: string) => {
      Reflect.deleteProperty(texts, name)
    },
  }
  return new Proxy(texts, { get: (_target, name) => Reflect.get(methods, name) as unknown }) as unknown as Storage
}

describe('what is being written', () => {
  it('is there but what is damaged of it', async () => {
    const store = createMemoryStore()
    const first = await openSealedMemory(store, undefined, silentLogger)
    first.write('draft.a', 'one')
    first.write('draft.b', 'two')
    await first.settled()
    const damaged: Store = {
      ...store,
      list: async (prefix) =>
        (await store.list(prefix)).map((one) => (one.key.endsWith('draft-a') ? { ...one, value: undefined } : one)),
    }
    const again = await openSealedMemory(damaged, undefined, silentLogger)
    expect([again.read('draft.a'), again.read('draft.b')]).toEqual([undefined, 'two'])
  })

  it('is there in the next tab as it was last, whatever was written meanwhile', async () => {
    const data = createMemoryData()
    const memory = await openSealedMemory(createMemoryStore(data), undefined, silentLogger)
    for (const text of ['a', 'ab', 'abc']) memory.write('draft.new', text)
    memory.write('draft.one', 'x')
    memory.write('draft.one', undefined)
    expect(memory.read('draft.new')).toBe('abc')
    await memory.settled()
    const next = await openSealedMemory(createMemoryStore(data), undefined, silentLogger)
    expect([next.read('draft.new'), next.read('draft.one')]).toEqual(['abc', undefined])
    expect([...data.records.keys()]).toEqual(['page/memory/draft-new'])
  })

  it('moves in from where an earlier version left it in the clear, and is gone there', async () => {
    const texts = { 'plexus.draft.new': 'a heron', 'plexus.theme': 'dark' }
    const data = createMemoryData()
    const memory = await openSealedMemory(createMemoryStore(data), localStorageOf(texts), silentLogger)
    expect(memory.read('draft.new')).toBe('a heron')
    expect(texts).toEqual({ 'plexus.theme': 'dark' })
    const next = await openSealedMemory(createMemoryStore(data), undefined, silentLogger)
    expect(next.read('draft.new')).toBe('a heron')
  })

  it('stays where it was when it cannot be moved', async () => {
    const texts = { 'plexus.draft.new': 'a heron' }
    const store = createMemoryStore()
    store.failWrites({ code: 'storage-full', atWrite: 1 })
    const opening = openSealedMemory(store, localStorageOf(texts), silentLogger)
    await expect(opening).rejects.toMatchObject({ code: 'storage-full' })
    expect(texts).toEqual({ 'plexus.draft.new': 'a heron' })
  })

  it('costs no more than itself when the disk is full', async () => {
    const store = createMemoryStore()
    const memory = await openSealedMemory(store, undefined, silentLogger)
    store.failWrites({ code: 'storage-full', atWrite: 1 })
    memory.write('draft.new', 'a')
    await memory.settled()
    expect(memory.read('draft.new')).toBe('a')
    memory.write('draft.new', 'ab')
    await memory.settled()
    expect((await openSealedMemory(createMemoryStore(store.data), undefined, silentLogger)).read('draft.new')).toBe(
      'ab',
    )
  })
})
