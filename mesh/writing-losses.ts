import { ownScope } from './admissions.ts'
import type { DeviceId } from './base/index.ts'
import {
  authorize,
  scopeOf,
  type FieldsOf,
  type Ledger,
  type LedgerEntry,
  type LedgerState,
  type ScopeId,
} from './identity/index.ts'

type Type = 'revoke' | 'role' | 'room-people'
type Change = LedgerEntry<FieldsOf<Type>>
type Known = Pick<Ledger, 'state' | 'entries' | 'saw'>

/**
 * The entries by which a device may not write in a scope any more: its removal or its person's, a role that
 * may not write, a room that its person was taken out of. Those after which it was given the right again are
 * none; of several that say the same all are, so that who says it once more puts nothing off.
 */
export function lossesOf(device: DeviceId, scope: ScopeId, ledger: Known): readonly LedgerEntry[] {
  const known = knownOf(ledger)
  const place = `${scope}/${device}`
  const losses = known.losses.get(place) ?? lookUp(device, scope, ledger, known.changes)
  known.losses.set(place, losses)
  return losses
}

function lookUp(device: DeviceId, scope: ScopeId, ledger: Known, changes: readonly Change[]): Change[] {
  const { person, admission } = ledger.state().devices.get(device) ?? {}
  if (person === undefined || admission === undefined) return []
  const parts = scopeOf(scope)
  const object = ownScope(scope)
  const losses: Change[] = []
  const gains: Change[] = []
  for (const change of changes) {
    const { fields, hash } = change
    if (fields.type === 'revoke') {
      const isOfIt = fields.device === device || fields.person === person
      if (isOfIt && !ledger.saw(admission, hash)) losses.push(change)
    } else if (fields.type === 'role') {
      if (fields.person === person) (authorize(fields.role, 'write', object).allowed ? gains : losses).push(change)
    } else if (parts.kind === 'room' && fields.room === parts.room) {
      if (fields.remove.includes(person)) losses.push(change)
      else if (fields.add.includes(person)) gains.push(change)
    }
  }
  // a role that is given again opens no room
  const last = [...lastOf(gains, 'role', ledger), ...lastOf(gains, 'room-people', ledger)]
  return losses.filter(
    ({ fields, hash }) =>
      fields.type === 'revoke' || !last.some((gain) => gain.fields.type === fields.type && ledger.saw(gain.hash, hash)),
  )
}

/** Those of a type that none of the others saw, so that each loss is held against few. They are in the common order. */
function lastOf(all: readonly Change[], type: Type, { saw }: Pick<Ledger, 'saw'>): readonly Change[] {
  const kept: Change[] = []
  for (const change of all.toReversed())
    if (change.fields.type === type && !kept.some((later) => saw(later.hash, change.hash))) kept.push(change)
  return kept
}

interface ByState {
  readonly changes: readonly Change[]
  readonly losses: Map<string, readonly Change[]>
}

/** Asked for each envelope of an author who may not write any more: made once of each state of the ledger. */
const byState = new WeakMap<LedgerState, ByState>()

function knownOf(ledger: Known): ByState {
  const state = ledger.state()
  const known = byState.get(state)
  if (known !== undefined) return known
  const changes = ledger.entries().filter((entry): entry is Change => isChange(entry) && !state.ignored.has(entry.hash))
  const made = { changes, losses: new Map<string, readonly Change[]>() }
  byState.set(state, made)
  return made
}

function isChange({ fields: { type } }: LedgerEntry): boolean {
  return type === 'revoke' || type === 'role' || type === 'room-people'
}
