import { SYNC_OFFERS_WAITING_MAX, SYNC_PROSPECTS_MAX } from '../base/index.ts'
import type { SourceFrame } from '../net/index.ts'
import type { DocumentName } from './document.ts'
import type { Documents } from './documents.ts'
import { documentKey } from './envelope.ts'
import { documentName } from './names.ts'
import type { Replica } from './replica.ts'

/** A document another device named, and what it said of its state. */
export interface Offer {
  readonly name: DocumentName
  readonly key: string
  readonly digest: Uint8Array | undefined
}

/**
 * The offers of one device, as long as its stream lasts. An offer is a word and costs
 * memory alone: so many at once are asked for without anything having come of them, so
 * many more wait, and what is beyond is left to the next stream.
 */
export interface Offers {
  /** An offer as it was told; what is no name here is dropped. */
  take(told: Extract<SourceFrame, { type: 'offers' }>['offers'][number]): void
  /** Offers whose turn it is. */
  due(): readonly Offer[]
  /** Those that had no right to be here may have now. */
  reconsider(): void
  /** A document was asked for of which nothing is held. */
  began(replica: Replica, offer: Offer): void
  /** Something of it is durable. */
  kept(replica: Replica): void
  /** Nothing came of it; with `later` it is tried again when rights, keys or places are others. */
  ended(replica: Replica, later: boolean): void
  /** Gives up all that nothing came of, for others. */
  endAll(): void
  /** True when offers wait for others that nothing comes of. */
  readonly areStuck: boolean
  /** True when everything that was taken is settled, and more was left out. */
  readonly areLeftOut: boolean
  /** Lets go of everything. */
  close(): void
}

/** No offers yet. */
export function createOffers(documents: Documents): Offers {
  const queue = new Map<string, Offer>()
  /** The entry of the ledger that gives a right may be on its way over another stream, and an offer is made once. */
  const early = new Map<string, Offer>()
  const prospects = new Map<string, { readonly replica: Replica; readonly offer: Offer }>()
  let isLeftOut = false
  let isEarlyLeftOut = false

  const isDue = ({ name, key }: Offer): boolean =>
    documents.holds(key) ? documents.mayKeep(documents.self, name.scope) : documents.mayTake(name)

  const remember = (list: Map<string, Offer>, offer: Offer): void => {
    list.delete(offer.key)
    if (list.size < SYNC_OFFERS_WAITING_MAX) list.set(offer.key, offer)
    else if (list === queue) isLeftOut = true
    else isEarlyLeftOut = true
  }

  const end = (key: string): Offer | undefined => {
    const one = prospects.get(key)
    if (one === undefined) return undefined
    prospects.delete(key)
    documents.release(one.replica)
    return one.offer
  }

  return {
    take({ name: told, digest }) {
      const name = documentName.safeParse(told)
      // a kind of a newer version is not for this one
      if (!name.success) return
      const offer = { name: name.data, key: documentKey(name.data), digest }
      remember(isDue(offer) ? queue : early, offer)
    },
    due() {
      const due: Offer[] = []
      let places = SYNC_PROSPECTS_MAX - prospects.size
      for (const [key, offer] of queue) {
        const isHeld = documents.holds(key) || prospects.has(key)
        if (!isHeld && places <= 0) continue
        if (!isHeld) places -= 1
        queue.delete(key)
        due.push(offer)
      }
      return due
    },
    reconsider() {
      for (const [key, offer] of early) {
        if (!isDue(offer)) continue
        early.delete(key)
        remember(queue, offer)
        // where one has a right now, so may those that found no room
        isLeftOut ||= isEarlyLeftOut
      }
    },
    began(replica, offer) {
      prospects.set(replica.key, { replica, offer })
    },
    kept(replica) {
      end(replica.key)
    },
    ended(replica, later) {
      const offer = end(replica.key)
      if (offer !== undefined && later) remember(early, { ...offer, digest: undefined })
    },
    endAll() {
      isLeftOut = true
      for (const key of [...prospects.keys()]) end(key)
    },
    get areStuck() {
      return queue.size > 0 && prospects.size > 0
    },
    get areLeftOut() {
      return isLeftOut && queue.size === 0 && prospects.size === 0
    },
    close() {
      for (const key of [...prospects.keys()]) end(key)
      queue.clear()
      early.clear()
    },
  }
}
