import { isMeshError, type MeshError } from './errors.ts'
import type { Logger } from './log.ts'
import type { Store, StoreOptions } from './store.ts'

/** What the second of two begins with; the first has the key as it is. */
const SECOND = 'second/'

/**
 * A small record that a device cannot do without, see {@link putTwice}: the first where
 * it is whole, else the second. What the other one lacks it is given; one that was
 * damaged is told to the log. Kept once by an earlier version, it is kept twice from now on.
 * @throws MeshError `storage-corrupt` when neither is whole, and of the store
 */
export async function getTwice(
  store: Pick<Store, 'get' | 'put'>,
  key: string,
  log: Logger,
  options: StoreOptions = {},
): Promise<Uint8Array | undefined> {
  const first = await read(store, key, options)
  const second = await read(store, SECOND + key, options)
  if (first instanceof Uint8Array) {
    if (!same(first, second)) await mend(store, SECOND + key, first, second, log, options)
    return first
  }
  if (second instanceof Uint8Array) {
    await mend(store, key, second, first, log, options)
    return second
  }
  if (first !== undefined) throw first
  if (second !== undefined) throw second
  return undefined
}

/** Puts it into both places. Durable in the first when it resolves, and then in the second. @throws MeshError of the store */
export async function putTwice(
  store: Pick<Store, 'put'>,
  key: string,
  value: Uint8Array,
  options: StoreOptions = {},
): Promise<void> {
  await store.put(key, value, options)
  await store.put(SECOND + key, value, options)
}

/** Forgets both. @throws MeshError of the store */
export async function deleteTwice(
  store: Pick<Store, 'delete'>,
  key: string,
  options: StoreOptions = {},
): Promise<void> {
  // the first last: while it is there, it counts
  await store.delete(SECOND + key, options)
  await store.delete(key, options)
}

type Found = Uint8Array | MeshError | undefined

async function read(store: Pick<Store, 'get'>, key: string, options: StoreOptions): Promise<Found> {
  try {
    return await store.get(key, options)
  } catch (error) {
    if (isMeshError(error, 'storage-corrupt')) return error
    throw error
  }
}

/** Reading goes on where this fails: what is whole is whole. */
async function mend(
  store: Pick<Store, 'put'>,
  key: string,
  value: Uint8Array,
  was: Found,
  log: Logger,
  options: StoreOptions,
): Promise<void> {
  if (was !== undefined && !(was instanceof Uint8Array))
    log.error('a stored record was damaged; it is kept twice, and nothing is lost', { key, error: was })
  try {
    await store.put(key, value, options)
  } catch (error) {
    log.warn('a record could not be kept twice; it is tried again at the next start', { key, error })
  }
}

function same(a: Uint8Array, b: Found): boolean {
  return b instanceof Uint8Array && a.byteLength === b.byteLength && a.every((byte, index) => byte === b[index])
}
