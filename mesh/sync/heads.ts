import type { ReadEntry } from '../base/index.ts'
import type { Chains } from './chains.ts'
import { readLogEntry, type LoggedEnvelope } from './log-entry.ts'
import { grownBy, NO_GROWTH, type LogGrowth } from './log-growth.ts'

/**
 * An envelope that is whole, behind one of its chain that is not any more: it is shown,
 * and given to nobody before the chain was fetched again up to it.
 */
export interface Stranded extends LoggedEnvelope {
  /** Its place in the log. */
  readonly position: number
}

/** What the entries of a log add to what is known of a document's chains. */
export interface Heads {
  /** Place of the last entry; undefined without any. */
  readonly lastPosition: number | undefined
  readonly growth: LogGrowth
  readonly stranded: readonly Stranded[]
  /** How many entries are not what was appended, and may be missing. */
  readonly damaged: number
}

/**
 * Takes the heads of a log's entries into the chains, in their order. A damaged entry
 * counts as one that never came: its chain ends before it, so that other devices are
 * asked for it, and what is behind it in the chain is stranded.
 */
export function takeHeads(document: string, chains: Chains, entries: readonly ReadEntry[]): Heads {
  let growth = NO_GROWTH
  let damaged = 0
  const behind = new Map<string, Stranded>()
  const heldOf = (chain: number): number => chains.get(chain)?.sequence ?? 0
  for (const { sequence: position, bytes } of entries) {
    if (bytes === undefined) {
      damaged += 1
      continue
    }
    const logged = readLogEntry(bytes)
    if (logged?.envelope.head.document !== document) continue
    const { chain, head } = logged.envelope
    const next = heldOf(chain) + 1
    if (head.sequence > next) behind.set(`${String(chain)}/${String(head.sequence)}`, { ...logged, position })
    if (head.sequence !== next) continue
    chains.take(logged.envelope, position, logged)
    growth = grownBy(growth, [logged.envelope], bytes.byteLength)
  }
  const stranded = [...behind.values()].filter(({ envelope }) => envelope.head.sequence > heldOf(envelope.chain))
  // what was behind it came again, and so did it
  const isMended = behind.size > 0 && stranded.length === 0
  return { lastPosition: entries.at(-1)?.sequence, growth, stranded, damaged: isMended ? 0 : damaged }
}
