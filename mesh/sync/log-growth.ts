import type { Envelope } from './envelope.ts'

/** How much a log has grown since something was last done. */
export interface LogGrowth {
  readonly envelopes: number
  readonly bytes: number
  /** Envelopes that erase something. */
  readonly erasing: number
}

/** No growth. */
export const NO_GROWTH: LogGrowth = { envelopes: 0, bytes: 0, erasing: 0 }

/** Both together. */
export function addedTo(growth: LogGrowth, more: LogGrowth): LogGrowth {
  return {
    envelopes: growth.envelopes + more.envelopes,
    bytes: growth.bytes + more.bytes,
    erasing: growth.erasing + more.erasing,
  }
}

/** The growth with envelopes added that take so many bytes of the log. */
export function grownBy(growth: LogGrowth, envelopes: readonly Envelope[], bytes: number): LogGrowth {
  return {
    envelopes: growth.envelopes + envelopes.length,
    bytes: growth.bytes + bytes,
    erasing: growth.erasing + envelopes.filter(({ head }) => head.erases.length > 0).length,
  }
}
