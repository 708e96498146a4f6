import type { LedgerCheck, LedgerLine } from '../../../../mesh/people-types.ts'
import { ledgerSentence } from '../../../i18n/index.ts'

/** The ledger as a file: each entry with its sentence, the one who signed, and what the last check found. */
export function ledgerFile(lines: readonly LedgerLine[], check: LedgerCheck | undefined, exportedAt: number): string {
  const entries = lines.map((line) => ({
    hash: line.hash,
    type: line.type,
    at: new Date(line.at).toISOString(),
    by: line.by,
    byName: line.byName,
    sentence: ledgerSentence(line.sentence, line.byName),
    counts: line.counts,
    ...(line.ignoredBy === undefined ? {} : { ignoredBy: line.ignoredBy }),
  }))
  return JSON.stringify({ exportedAt: new Date(exportedAt).toISOString(), check: check ?? null, entries }, null, 2)
}
