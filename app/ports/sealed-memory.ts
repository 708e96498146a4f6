import { wholeRecords, type Logger, type Store } from '../../mesh/base/index.ts'
import type { Memory } from '../state/index.ts'

const PREFIX = 'page/memory/'
/** Where versions before the sealed store kept what was being written. */
const OLD_PREFIX = 'plexus.'
const OLD_DRAFT = `${OLD_PREFIX}draft.`

/** Small texts kept in the page's own store, so that they are sealed as everything there is. */
export interface SealedMemory extends Memory {
  /** Resolves when everything written so far is durable. */
  settled(): Promise<void>
}

/**
 * Reads all of it now, because screens ask without waiting, and writes behind: of many
 * writes of one key while the disk is busy, the last is kept. What an earlier version
 * left in the local storage, where nothing is sealed, moves here.
 * @throws MeshError of the store
 */
export async function openSealedMemory(store: Store, old: Storage | undefined, log: Logger): Promise<SealedMemory> {
  await moveIn(store, old)
  const records = wholeRecords(await store.list(PREFIX), log)
  const held = new Map(records.map(({ key, value }) => [key, new TextDecoder().decode(value)]))
  const writing = new Map<string, Promise<void>>()

  const write = async (key: string): Promise<void> => {
    for (let kept: string | undefined, isFirst = true; isFirst || kept !== held.get(key); isFirst = false) {
      kept = held.get(key)
      if (kept === undefined) await store.delete(key)
      else await store.put(key, new TextEncoder().encode(kept))
    }
  }
  const keep = (key: string, value: string | undefined): void => {
    if (value === undefined) held.delete(key)
    else held.set(key, value)
    if (writing.has(key)) return
    const done = write(key)
      .catch((error: unknown) => {
        log.warn('what is being written could not be kept', { error })
      })
      .finally(() => writing.delete(key))
    writing.set(key, done)
  }
  return {
    read: (key) => held.get(keyOf(key)),
    write: (key, value) => {
      keep(keyOf(key), value)
    },
    async settled() {
      await Promise.all(writing.values())
    },
  }
}

/** First kept here, then removed there: killed between, or with a full disk, nothing is lost. */
async function moveIn(store: Store, old: Storage | undefined): Promise<void> {
  const names = old === undefined ? [] : Object.keys(old).filter((name) => name.startsWith(OLD_DRAFT))
  for (const name of names) {
    await store.put(keyOf(name.slice(OLD_PREFIX.length)), new TextEncoder().encode(old?.getItem(name) ?? ''))
    old?.removeItem(name)
  }
}

/** Keys of a store know no dots. */
function keyOf(key: string): string {
  return PREFIX + key.replaceAll('.', '-')
}
