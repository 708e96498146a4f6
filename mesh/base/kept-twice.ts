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
  return (await readTwice(store, key, log, options)).value
}

async function readTwice(
  store: Pick<Store, 'get' | 'put'>,
  key: string,
  log: Logger,
  options: StoreOptions,
): Promise<{ readonly value: Uint8Array | undefined; readonly areSame: boolean }> {
  const first = await read(store, key, options)
  const second = await read(store, SECOND + key, options)
  if (first instanceof Uint8Array) {
    const areSame = same(first, second) || (await mend(store, SECOND + key, first, second, log, options))
    return { value: first, areSame }
  }
  if (second instanceof Uint8Array)
    return { value: second, areSame: await mend(store, key, second, first, log, options) }
  if (first !== undefined) throw first
  if (second !== undefined) throw second
  return { value: undefined, areSame: true }
}

/**
 * A record kept twice that says which of several other things counts, such as a log. A write of it that failed
 * may have reached the disk all the same, in one place or both: until {@link TwiceKept.makeSure} nobody knows
 * which a restart would find, and nothing may be changed that any of them names.
 */
export interface TwiceKept {
  /** As {@link getTwice}. */
  read(options?: StoreOptions): Promise<Uint8Array | undefined>
  /** Puts another in its place. Where it throws the one before counts on, and {@link TwiceKept.makeSure} is needed. */
  put(value: Uint8Array, options?: StoreOptions): Promise<void>
  /**
   * Both places hold what counts when it resolves; does nothing where that is known. To be called before anything
   * is appended to what counts, and before anything is written or dropped that was to take its place.
   * @throws MeshError of the store; nothing may be changed then
   */
  makeSure(current: () => Uint8Array, options?: StoreOptions): Promise<void>
}

/** See {@link TwiceKept}. */
export function createTwiceKept(store: Pick<Store, 'get' | 'put'>, key: string, log: Logger): TwiceKept {
  let isSure = true
  const put: TwiceKept['put'] = async (value, options) => {
    isSure = false
    await store.put(key, value, options)
    await store.put(SECOND + key, value, options)
    isSure = true
  }
  return {
    async read(options = {}) {
      isSure = false
      const { value, areSame } = await readTwice(store, key, log, options)
      isSure = areSame
      return value
    },
    put,
    async makeSure(current, options) {
      if (!isSure) await put(current(), options)
    },
  }
}

/**
 * Puts it into both places. Durable in the first when it resolves, which is what counts; where the second does not
 * take it, the log is told, and it is tried again when the record is read at the next start.
 * @throws MeshError of the store; the one before counts on then
 */
export async function putTwice(
  store: Pick<Store, 'put'>,
  key: string,
  value: Uint8Array,
  log: Logger,
  options: StoreOptions = {},
): Promise<void> {
  await store.put(key, value, options)
  await mend(store, SECOND + key, value, undefined, log, options)
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

/** Reading goes on where this fails: what is whole is whole. @returns whether it did not */
async function mend(
  store: Pick<Store, 'put'>,
  key: string,
  value: Uint8Array,
  was: Found,
  log: Logger,
  options: StoreOptions,
): Promise<boolean> {
  if (was !== undefined && !(was instanceof Uint8Array))
    log.error('a stored record was damaged; it is kept twice, and nothing is lost', { key, error: was })
  try {
    await store.put(key, value, options)
    return true
  } catch (error) {
    log.warn('a record could not be kept twice; it is tried again at the next start', { key, error })
    return false
  }
}

function same(a: Uint8Array, b: Found): boolean {
  return b instanceof Uint8Array && a.byteLength === b.byteLength && a.every((byte, index) => byte === b[index])
}
