import * as z from 'zod/mini'
import {
  FREE_UNLOCK_TRIES,
  UNLOCK_FIRST_WAIT_MS,
  UNLOCK_MAX_WAIT_MS,
  type Clock,
  type Store,
  type StoreOptions,
} from '../base/index.ts'
import { decode, encode, whole } from '../wire/index.ts'

const KEY = 'vault/tries'
const triesSchema = z.object({ count: whole(), lastAt: whole() })
type Tries = z.output<typeof triesSchema>

/** Tries to unlock, counted where closing the page does not forget them. */
export interface UnlockTries {
  /** How long until the next try is let, in ms. */
  waitMs(options?: StoreOptions): Promise<number>
  /** Counts a try before it is made, so that a kill in the middle does not give one away. */
  begin(options?: StoreOptions): Promise<void>
  /** It opened: nothing is held against anybody. */
  clear(options?: StoreOptions): Promise<void>
}

/**
 * A brake for who sits at the device. Who has the files tries elsewhere, and what
 * holds there is the cost of Argon2id.
 */
export function unlockTries(inner: Store, clock: Clock): UnlockTries {
  const read = async (options?: StoreOptions): Promise<Tries> => {
    const stored = await inner.get(KEY, options)
    if (stored === undefined) return { count: 0, lastAt: 0 }
    try {
      return decode(stored, triesSchema, { maxBytes: 64, what: 'The count of tries' })
    } catch {
      // a damaged count must not keep its owner out
      return { count: 0, lastAt: 0 }
    }
  }
  return {
    async waitMs(options) {
      const { count, lastAt } = await read(options)
      const waitMs = waitAfter(count)
      // a clock that was set back makes nobody wait longer than the whole wait
      return Math.max(0, Math.min(waitMs, lastAt + waitMs - clock.now()))
    },
    async begin(options) {
      const { count } = await read(options)
      await inner.put(KEY, encode({ count: count + 1, lastAt: Math.max(0, Math.floor(clock.now())) }), options)
    },
    clear: (options) => inner.delete(KEY, options),
  }
}

function waitAfter(count: number): number {
  if (count < FREE_UNLOCK_TRIES) return 0
  return Math.min(UNLOCK_MAX_WAIT_MS, UNLOCK_FIRST_WAIT_MS * 2 ** Math.min(30, count - FREE_UNLOCK_TRIES))
}
