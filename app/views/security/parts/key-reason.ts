import type { KeyLine, LedgerLine } from '../../../../mesh/people-types.ts'

/** A key that changed within this time after a removal was changed because of it, in ms. */
const BECAUSE_MS = 60 * 60_000

/** Whom a change of keys shut out: the last removal before it, when it came right before. */
export function removedBefore(key: KeyLine, ledger: readonly LedgerLine[]): string | undefined {
  const removal = ledger.findLast(
    (line) =>
      line.counts && line.type === 'revoke' && line.at <= key.changedAt && key.changedAt - line.at <= BECAUSE_MS,
  )
  const name = removal?.sentence.values['name'] ?? removal?.sentence.values['person']
  return name === undefined ? undefined : String(name)
}
