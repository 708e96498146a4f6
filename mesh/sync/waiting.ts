import {
  SYNC_WAITING_ALL_MAX_BYTES,
  SYNC_WAITING_ALL_PER_AUTHOR_MAX_BYTES,
  SYNC_WAITING_MAX_BYTES,
  SYNC_WAITING_PER_AUTHOR_MAX_BYTES,
  type DeviceId,
} from '../base/index.ts'
import { withClocks, type Clocks } from './clock-ranges.ts'
import { tellsOnlyEnds, type Envelope } from './envelope.ts'

/** A verified envelope that came before what it follows, and who sent it. */
export interface WaitingEnvelope {
  readonly envelope: Envelope
  readonly via: DeviceId
}

/**
 * Envelopes that wait for others, in memory and bounded: the oldest of an author who
 * has too many are let go, for they can be fetched again. What they erase is proven
 * by their signature even before their place in the chain is reached.
 */
export interface Waiting {
  add(one: WaitingEnvelope): void
  /** Takes out the one at a place. */
  take(chain: number, sequence: number): WaitingEnvelope | undefined
  all(): readonly WaitingEnvelope[]
  /** Clocks of a chain that waiting envelopes of its author erase. */
  erasedBy(author: DeviceId, chain: number, known: Clocks): Clocks
  /** All but what only tells ends: that is taken of everybody who may write. */
  dropAuthor(author: DeviceId): void
  clear(): void
  readonly sizeBytes: number
}

/** What waits in all documents together, by author: many documents are no way around the bound of one. */
export interface WaitingTotals {
  add(author: DeviceId, bytes: number): void
  /** True when no more of this author may wait. */
  isOver(author: DeviceId): boolean
}

/** Nothing waits anywhere. */
export function createWaitingTotals(): WaitingTotals {
  const sizes = new Map<DeviceId, number>()
  let total = 0
  return {
    add(author, bytes) {
      total += bytes
      const size = (sizes.get(author) ?? 0) + bytes
      if (size > 0) sizes.set(author, size)
      else sizes.delete(author)
    },
    isOver: (author) =>
      total > SYNC_WAITING_ALL_MAX_BYTES || (sizes.get(author) ?? 0) > SYNC_WAITING_ALL_PER_AUTHOR_MAX_BYTES,
  }
}

/** Nothing waits yet. */
export function createWaiting(totals: WaitingTotals): Waiting {
  const byPlace = new Map<string, WaitingEnvelope>()
  const sizes = new Map<DeviceId, number>()
  /** By author and chain: what waits erases of it. Made anew when the author has another envelope waiting. */
  const erased = new Map<DeviceId, Map<number, Clocks>>()
  let sizeBytes = 0
  const placeOf = (chain: number, sequence: number): string => `${String(chain)}/${String(sequence)}`

  const count = (author: DeviceId, bytes: number): void => {
    sizeBytes += bytes
    const size = (sizes.get(author) ?? 0) + bytes
    if (size > 0) sizes.set(author, size)
    else sizes.delete(author)
    totals.add(author, bytes)
    erased.delete(author)
  }

  const remove = (place: string): WaitingEnvelope | undefined => {
    const one = byPlace.get(place)
    if (one === undefined) return undefined
    byPlace.delete(place)
    count(one.envelope.head.author, -sizeOf(one))
    return one
  }

  const makeRoom = (author: DeviceId): void => {
    for (const [place, one] of byPlace) {
      const isAllTooMuch = sizeBytes > SYNC_WAITING_MAX_BYTES
      const isTooMuch = (sizes.get(author) ?? 0) > SYNC_WAITING_PER_AUTHOR_MAX_BYTES || totals.isOver(author)
      if (!isAllTooMuch && !isTooMuch) return
      if (isAllTooMuch || one.envelope.head.author === author) remove(place)
    }
  }

  const erasedOf = (author: DeviceId): Map<number, Clocks> => {
    const known = erased.get(author)
    if (known !== undefined) return known
    const ranges = new Map<number, (readonly [number, number])[]>()
    for (const { envelope } of byPlace.values()) {
      if (envelope.head.author !== author) continue
      for (const { chain, clock, count: length } of envelope.head.erases) {
        const ofChain = ranges.get(chain) ?? []
        ranges.set(chain, ofChain)
        ofChain.push([clock, length])
      }
    }
    const made = new Map([...ranges].map(([chain, all]) => [chain, withClocks([], all)] as const))
    erased.set(author, made)
    return made
  }

  return {
    get sizeBytes() {
      return sizeBytes
    },
    add(one) {
      const { author, sequence } = one.envelope.head
      const place = placeOf(one.envelope.chain, sequence)
      // one that came as proof alone takes nothing from what is here whole
      if (one.envelope.box === undefined && isSame(byPlace.get(place)?.envelope, one.envelope)) return
      remove(place)
      byPlace.set(place, one)
      count(author, sizeOf(one))
      makeRoom(author)
    },
    take: (chain, sequence) => remove(placeOf(chain, sequence)),
    all: () => [...byPlace.values()],
    erasedBy: (author, chain, known) => withClocks(known, erasedOf(author).get(chain) ?? []),
    dropAuthor(author) {
      for (const [place, { envelope }] of byPlace)
        if (envelope.head.author === author && !tellsOnlyEnds(envelope.head)) remove(place)
    },
    clear() {
      for (const place of [...byPlace.keys()]) remove(place)
    },
  }
}

function isSame(a: Envelope | undefined, b: Envelope): boolean {
  return a !== undefined && a.hash.every((byte, index) => byte === b.hash[index])
}

function sizeOf({ envelope }: WaitingEnvelope): number {
  return envelope.bytes.byteLength
}
