import type { DeviceId } from '../base/index.ts'
import type { Clocks } from './clock-ranges.ts'
import type { EnvelopePlace } from './erasings.ts'
import type { Marks } from './marks.ts'
import type { ClockRange } from './update.ts'

/** What is known of one chain from the heads of its envelopes; readable or not makes no difference. */
export interface Chain {
  readonly number: number
  readonly author: DeviceId
  readonly run: Uint8Array
  readonly epoch: string
  /** Sequence, next clock and hash of the last envelope held. */
  sequence: number
  clock: number
  tip: Uint8Array
  /** By sequence - 1: first clock, time, and place in the log. */
  readonly froms: number[]
  readonly ats: number[]
  positions: number[]
  /** Short names of its envelopes. */
  readonly marks: Marks
  /**
   * From which sequence on it came here when its author might not write any more, whoever told of it. Undefined: all
   * of it was here before.
   */
  lateFrom?: number | undefined
  /** Its clocks that its author erased, wherever it said so. */
  erased: Clocks
  /** Envelopes of this chain that erase, with what. */
  readonly erasers: { readonly sequence: number; readonly ranges: readonly ClockRange[] }[]
  /** Of each envelope of this chain that tells ends of others, what it tells. */
  readonly ends: (readonly EnvelopePlace[])[]
  /** When each of these was written, by its author's clock. */
  readonly endsAt: number[]
}
