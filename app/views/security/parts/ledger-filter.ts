import type { LedgerLine, PersonView } from '../../../../mesh/people-types.ts'

/** What an entry is about, for the filter. */
export const LEDGER_KINDS = ['all', 'devices', 'people', 'invitations', 'keys', 'rooms', 'ignored'] as const

/** One of {@link LEDGER_KINDS}. */
export type LedgerKind = (typeof LEDGER_KINDS)[number]

const KIND_OF: Readonly<Record<string, LedgerKind>> = {
  create: 'people',
  admit: 'devices',
  certify: 'devices',
  revoke: 'devices',
  role: 'people',
  rename: 'people',
  invite: 'invitations',
  'invite-revoked': 'invitations',
  recovery: 'keys',
  rotate: 'keys',
  share: 'keys',
  room: 'rooms',
  'room-people': 'rooms',
}

/** What one wants to see. */
export interface LedgerFilter {
  readonly kind: LedgerKind
  /** Only what was signed by a device of this person; absent: by anybody. */
  readonly person?: PersonView | undefined
}

/** The entries one wants to see, newest first. */
export function filterLedger(lines: readonly LedgerLine[], { kind, person }: LedgerFilter): readonly LedgerLine[] {
  const fits = (line: LedgerLine): boolean => {
    if (person !== undefined && !person.devices.includes(line.by)) return false
    if (kind === 'all') return true
    return kind === 'ignored' ? !line.counts : KIND_OF[line.type] === kind
  }
  return lines.filter(fits).reverse()
}
