import { SYNC_WAITING_MAX_BYTES, SYNC_WAITING_PER_AUTHOR_MAX_BYTES, type DeviceId } from '../base/index.ts'
import { withClocks, type Clocks } from './clock-ranges.ts'
import type { Envelope } from './envelope.ts'

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
  dropAuthor(author: DeviceId): void
  readonly sizeBytes: number
}

/** Nothing waits yet. */
export function createWaiting(): Waiting {
  const byPlace = new Map<string, WaitingEnvelope>()
  const sizes = new Map<DeviceId, number>()
  let sizeBytes = 0
  const placeOf = (chain: number, sequence: number): string => `${String(chain)}/${String(sequence)}`

  const remove = (place: string): WaitingEnvelope | undefined => {
    const one = byPlace.get(place)
    if (one === undefined) return undefined
    byPlace.delete(place)
    const { author } = one.envelope.head
    const size = one.envelope.bytes.byteLength
    sizeBytes -= size
    const left = (sizes.get(author) ?? 0) - size
    if (left > 0) sizes.set(author, left)
    else sizes.delete(author)
    return one
  }

  const makeRoom = (author: DeviceId): void => {
    for (const [place, one] of byPlace) {
      const tooMuch = sizeBytes > SYNC_WAITING_MAX_BYTES
      if (!tooMuch && (sizes.get(author) ?? 0) <= SYNC_WAITING_PER_AUTHOR_MAX_BYTES) return
      if (tooMuch || one.envelope.head.author === author) remove(place)
    }
  }

  return {
    get sizeBytes() {
      return sizeBytes
    },
    add(one) {
      const { author, sequence } = one.envelope.head
      const place = placeOf(one.envelope.chain, sequence)
      remove(place)
      byPlace.set(place, one)
      const size = one.envelope.bytes.byteLength
      sizeBytes += size
      sizes.set(author, (sizes.get(author) ?? 0) + size)
      makeRoom(author)
    },
    take: (chain, sequence) => remove(placeOf(chain, sequence)),
    all: () => [...byPlace.values()],
    erasedBy(author, chain, known) {
      let clocks = known
      for (const { envelope } of byPlace.values()) {
        if (envelope.head.author !== author) continue
        for (const range of envelope.head.erases)
          if (range.chain === chain) clocks = withClocks(clocks, range.clock, range.count)
      }
      return clocks
    },
    dropAuthor(author) {
      for (const [place, one] of byPlace) if (one.envelope.head.author === author) remove(place)
    },
  }
}
