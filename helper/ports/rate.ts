import type { Clock } from '../../mesh/base/index.ts'

/** Counts what each key takes, in bounded memory. */
export interface Rate {
  /** Takes one; false when the key has none left. */
  take(key: string): boolean
}

/** A bucket per key: `burst` at once, filled again by `perSecond`. */
export function createRate(
  clock: Clock,
  options: { readonly burst: number; readonly perSecond: number; readonly keysMax: number },
): Rate {
  const buckets = new Map<string, { left: number; at: number }>()
  return {
    take(key) {
      const now = clock.monotonic()
      const known = buckets.get(key) ?? { left: options.burst, at: now }
      const left = Math.min(options.burst, known.left + ((now - known.at) / 1_000) * options.perSecond)
      // put in anew, so that the map's order is the order of last use
      buckets.delete(key)
      buckets.set(key, { left: left >= 1 ? left - 1 : left, at: now })
      if (buckets.size > options.keysMax) {
        const [oldest] = buckets.keys()
        if (oldest !== undefined) buckets.delete(oldest)
      }
      return left >= 1
    },
  }
}
