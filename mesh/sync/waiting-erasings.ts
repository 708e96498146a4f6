import type { DeviceId } from '../base/index.ts'
import { withClocks, type Clocks } from './clock-ranges.ts'
import type { Envelope } from './envelope.ts'
import type { ClockRange } from './update.ts'

/** What waiting envelopes erase, by their author and the chain: looked up for one chain without the others. */
export interface WaitingErasings {
  add(envelope: Envelope): void
  delete(envelope: Envelope): void
  /** What is known to be erased of a chain, with what waiting envelopes of its author erase. */
  of(author: DeviceId, chain: number, known: Clocks): Clocks
}

interface OfChain {
  readonly ranges: Set<ClockRange>
  /** Until another one comes or goes: what they make of what was known. */
  merged?: { readonly known: Clocks; readonly all: Clocks } | undefined
}

/** Nothing waits yet. */
export function createWaitingErasings(): WaitingErasings {
  const byChain = new Map<string, OfChain>()
  const keyOf = (author: DeviceId, chain: number): string => `${author}/${String(chain)}`

  return {
    add({ head }) {
      for (const range of head.erases) {
        const key = keyOf(head.author, range.chain)
        const ofChain = byChain.get(key) ?? { ranges: new Set() }
        byChain.set(key, ofChain)
        ofChain.ranges.add(range)
        ofChain.merged = undefined
      }
    },
    delete({ head }) {
      for (const range of head.erases) {
        const key = keyOf(head.author, range.chain)
        const ofChain = byChain.get(key)
        if (ofChain === undefined) continue
        ofChain.ranges.delete(range)
        ofChain.merged = undefined
        if (ofChain.ranges.size === 0) byChain.delete(key)
      }
    },
    of(author, chain, known) {
      const ofChain = byChain.get(keyOf(author, chain))
      if (ofChain === undefined) return known
      if (ofChain.merged?.known !== known) {
        const added = [...ofChain.ranges].map(({ clock, count }) => [clock, count] as const)
        ofChain.merged = { known, all: withClocks(known, added) }
      }
      return ofChain.merged.all
    },
  }
}
