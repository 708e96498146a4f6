import * as z from 'zod'
import type { LedgerCheck, LedgerLine } from '../../../mesh/people-types.ts'
import { ledgerSentence, ruleSentence, YOU } from '../ledger-sentence.ts'
import { operation } from '../operation.ts'

/** An entry as scripts see it: `by` is a peer id, `at` in ms since 1970. */
export interface LedgerEntryLine {
  readonly hash: string
  readonly type: string
  readonly by: string
  readonly byName: string
  readonly at: number
  readonly sentence: string
  /** Why it has no effect; absent: it counts. */
  readonly setAside?: string | undefined
}

/** Every entry of the ledger in the common order, oldest first, each with its sentence. */
export const ledger = operation<Record<string, never>, never, LedgerEntryLine[]>({
  name: 'ledger',
  input: z.strictObject({}),
  run(_input, { host }) {
    const owners = new Map(host.mesh.people().flatMap((person) => person.devices.map((id) => [id, person] as const)))
    const nameOf = (line: LedgerLine): string => {
      const owner = owners.get(line.by)
      return owner === undefined ? line.byName : owner.own ? YOU : owner.name
    }
    return Promise.resolve(
      host.mesh.ledger().map((line) => ({
        hash: line.hash,
        type: line.type,
        by: line.by,
        byName: line.byName,
        at: line.at,
        sentence: ledgerSentence(line.sentence, nameOf(line)),
        ...(line.counts ? {} : { setAside: ruleSentence(line.ignoredBy) }),
      })),
    )
  },
})

/** What checking the ledger found, as scripts see it. */
export type LedgerCheckLine = Pick<LedgerCheck, 'entries' | 'signatures' | 'faults'>

/** Checks every signature, link and rule again. */
export const verifyLedger = operation<Record<string, never>, never, LedgerCheckLine>({
  name: 'ledger-verify',
  input: z.strictObject({}),
  async run(_input, { host, signal }) {
    const { entries, signatures, faults } = await host.mesh.verifyLedger({ signal })
    return { entries, signatures, faults: [...faults] }
  },
})
