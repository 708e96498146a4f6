import { LEDGER_HAVE_MAX, type DeviceId, type EntryHash } from '../../../base/index.ts'
import type { Ledger, LedgerEntry } from '../../../identity/index.ts'

/**
 * What this device has, in few hashes: its heads, then entries further and further
 * back, so that a device which lacks the newest still finds where the two agree.
 */
export function haveOf(ledger: Ledger): EntryHash[] {
  const all = ledger.entries()
  const have = new Set<EntryHash>(ledger.heads().slice(0, LEDGER_HAVE_MAX / 2))
  for (let back = 1; back <= all.length && have.size < LEDGER_HAVE_MAX; back *= 2) {
    const entry = all[all.length - back]
    if (entry !== undefined) have.add(entry.hash)
  }
  return [...have]
}

/**
 * The entries by which a removed device learns that it was: the one that removed it
 * and what that one had seen. Nothing later: who came after is none of its business.
 */
export function farewellOf(ledger: Ledger, removed: DeviceId): Uint8Array[] {
  const state = ledger.state()
  const person = state.devices.get(removed)?.person
  const removes = (entry: LedgerEntry): boolean =>
    entry.fields.type === 'revoke' &&
    (entry.fields.device === removed || entry.fields.person === person) &&
    !state.ignored.has(entry.hash)
  const last = ledger.entries().findLast(removes)
  if (last === undefined) return []
  return ledger
    .entries()
    .filter((entry) => ledger.saw(last.hash, entry.hash))
    .map((entry) => entry.bytes)
}
