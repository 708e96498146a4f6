import type { DeviceId } from '../base/index.ts'
import type { EnvelopePlace } from './erasings.ts'

/** Up to where devices told that they hold chains of authors who may not write any more. */
export interface Ends {
  /** A device tells these. @returns what takes that back; to be called in the reverse order */
  add(by: DeviceId, told: readonly EnvelopePlace[]): () => void
  /** True when somebody who counts told that this is there, or what follows it. */
  isTold(place: EnvelopePlace, counts: (by: DeviceId) => boolean): boolean
}

/** Nobody told anything yet. */
export function createEnds(): Ends {
  /** By chain: the furthest that each device told. */
  const byChain = new Map<number, Map<DeviceId, number>>()

  const put = (chain: number, by: DeviceId, sequence: number): void => {
    const ofChain = byChain.get(chain) ?? new Map<DeviceId, number>()
    byChain.set(chain, ofChain)
    if (sequence > 0) ofChain.set(by, sequence)
    else ofChain.delete(by)
    if (ofChain.size === 0) byChain.delete(chain)
  }

  return {
    add(by, told) {
      const before: EnvelopePlace[] = []
      for (const { chain, sequence } of told) {
        const known = byChain.get(chain)?.get(by) ?? 0
        if (sequence <= known) continue
        before.push({ chain, sequence: known })
        put(chain, by, sequence)
      }
      return () => {
        for (const { chain, sequence } of before.reverse()) put(chain, by, sequence)
      }
    },
    isTold({ chain, sequence }, counts) {
      for (const [by, last] of byChain.get(chain) ?? []) if (last >= sequence && counts(by)) return true
      return false
    },
  }
}
