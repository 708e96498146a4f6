import {
  HEARSAY_ALL_BURST,
  HEARSAY_ALL_EVERY_MS,
  HEARSAY_DIAL_EVERY_MS,
  HEARSAY_DIALS_BURST,
  type Clock,
} from '../base/index.ts'

/** What may be spent on dials of addresses that somebody told and nobody has proven. */
export interface DialBudget {
  /** Takes the price of a dial from who told the address; false: it is spent, and comes back with time. */
  take(teller: string, price: number): boolean
}

interface Bucket {
  left: number
  at: number
}

/**
 * A share for each teller, and one for all tellers together. The tellers of `isOwn` have
 * their share beside the common one: nobody else can use it up.
 */
export function createDialBudget(clock: Clock, isOwn: (teller: string) => boolean): DialBudget {
  const shares = new Map<string, Bucket>()
  const common: Bucket = { left: HEARSAY_ALL_BURST, at: clock.monotonic() }

  const refill = (bucket: Bucket, most: number, everyMs: number): Bucket => {
    const now = clock.monotonic()
    bucket.left = Math.min(most, bucket.left + (now - bucket.at) / everyMs)
    bucket.at = now
    return bucket
  }

  /** Whoever spent nothing for long is as one who never spent. */
  const forgetFull = (): void => {
    for (const [teller, share] of shares)
      if (refill(share, HEARSAY_DIALS_BURST, HEARSAY_DIAL_EVERY_MS).left >= HEARSAY_DIALS_BURST) shares.delete(teller)
  }

  return {
    take(teller, price) {
      if (!shares.has(teller)) forgetFull()
      const known = shares.get(teller) ?? { left: HEARSAY_DIALS_BURST, at: clock.monotonic() }
      const share = refill(known, HEARSAY_DIALS_BURST, HEARSAY_DIAL_EVERY_MS)
      const all = isOwn(teller) ? undefined : refill(common, HEARSAY_ALL_BURST, HEARSAY_ALL_EVERY_MS)
      if (share.left < price || (all !== undefined && all.left < price)) return false
      share.left -= price
      if (all !== undefined) all.left -= price
      shares.set(teller, share)
      return true
    },
  }
}
