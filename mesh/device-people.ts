import { admissionsOf } from './admissions.ts'
import type { DeviceId, PersonId } from './base/index.ts'
import type { Ledger, LedgerState } from './identity/index.ts'

type Known = Pick<Ledger, 'state' | 'entries'>

/**
 * Whose device it is or was, to count by. One whose admission came to nothing, because who let it in was
 * removed at the same time, counts for the person of that one, whatever person it was to be; one that nobody
 * ever let in for who gave it a key. Else what such devices began would count for nobody, and a person could
 * have one after another.
 */
export function personEverOf(device: DeviceId, ledger: Known): PersonId | undefined {
  const { devices } = ledger.state()
  const known = devices.get(device)
  if (known !== undefined) return known.person
  const asked = new Set<DeviceId>()
  let next = hostOf(device, ledger)
  while (next !== undefined && !asked.has(next)) {
    const found = devices.get(next)
    if (found !== undefined) return found.person
    asked.add(next)
    next = hostOf(next, ledger)
  }
  return admissionsOf(device, ledger)[0]?.person
}

function hostOf(device: DeviceId, ledger: Known): DeviceId | undefined {
  const [admission] = admissionsOf(device, ledger)
  return admission === undefined ? giversOf(ledger.state()).get(device) : admission.by[0]
}

/** Who first named each recipient of a key. Asked for each author of a document: made once of each state of the ledger. */
const made = new WeakMap<LedgerState, ReadonlyMap<string, DeviceId>>()

function giversOf(state: LedgerState): ReadonlyMap<string, DeviceId> {
  const known = made.get(state)
  if (known !== undefined) return known
  const givers = new Map<string, DeviceId>()
  for (const epochs of state.epochs.values())
    for (const { by, sealed } of epochs) for (const { to } of sealed) if (!givers.has(to)) givers.set(to, by)
  made.set(state, givers)
  return givers
}
