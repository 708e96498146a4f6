import type { DeviceId, PersonId } from './base/index.ts'
import type { Ledger, LedgerState } from './identity/index.ts'

/**
 * Whose device it is or was, to count by: also of one whose admission came to nothing because who let it in
 * was removed at the same time. Else what such devices began would count for nobody, and a person could have
 * one after another.
 */
export function personEverOf(device: DeviceId, ledger: Pick<Ledger, 'state' | 'entry'>): PersonId | undefined {
  const state = ledger.state()
  return state.devices.get(device)?.person ?? voidOnes(state, ledger).get(device)
}

/** Asked for each author of a document: made once of each state of the ledger. */
const made = new WeakMap<LedgerState, ReadonlyMap<DeviceId, PersonId>>()

function voidOnes(state: LedgerState, ledger: Pick<Ledger, 'entry'>): ReadonlyMap<DeviceId, PersonId> {
  const known = made.get(state)
  if (known !== undefined) return known
  const people = new Map<DeviceId, PersonId>()
  for (const hash of state.ignored.keys()) {
    const entry = ledger.entry(hash)
    if (entry?.fields.type !== 'admit' || entry.certificate === undefined) continue
    if (!people.has(entry.certificate.device)) people.set(entry.certificate.device, entry.fields.person)
  }
  made.set(state, people)
  return people
}
