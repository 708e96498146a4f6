import type { DeviceId, InvitationId } from './base/index.ts'

/** What a person may do in a mesh. */
export type PersonRole = 'owner' | 'member' | 'helper-only' | 'guest'

/** A person of the mesh, or one who was. */
export interface PersonView {
  /** 32 hex digits. */
  readonly id: string
  readonly name: string
  readonly role: PersonRole
  /** True for the person of this very device. */
  readonly own: boolean
  /** Devices that belong now. */
  readonly devices: readonly DeviceId[]
  /** ms since 1970 */
  readonly addedAt: number
  /** ms since 1970; null while the person belongs. */
  readonly removedAt: number | null
  /** True when this device may give the person another role. */
  readonly roleChangeable: boolean
  readonly removable: boolean
}

/** One entry of the ledger in words. */
export interface LedgerLine {
  /** Hex of the entry's SHA-256. */
  readonly hash: string
  readonly type: string
  readonly by: DeviceId
  readonly byName: string
  /** ms since 1970, by the clock of the device that signed it. */
  readonly at: number
  /** What it says: `key` names the sentence (`ledger.<key>` in the language files), `values` what it speaks of. */
  readonly sentence: { readonly key: string; readonly values: Readonly<Record<string, string | number>> }
  /** False when a rule set it aside: it is kept, and has no effect. */
  readonly counts: boolean
  /** The name of that rule. */
  readonly ignoredBy?: string | undefined
}

/** What checking the whole ledger again found. */
export interface LedgerCheck {
  readonly entries: number
  /** Signatures of entries and certificates that were checked. */
  readonly signatures: number
  /** ms since 1970 */
  readonly checkedAt: number
  /** Sentences; empty when all is well. */
  readonly faults: readonly string[]
}

/** An invitation as the ledger knows it: without its secret. */
export interface InvitationLine {
  readonly id: InvitationId
  readonly madeBy: DeviceId
  readonly madeByName: string
  /** Name of the person it invites; empty: a further device of the one who made it. */
  readonly person: string
  readonly role: PersonRole
  readonly confirmation: 'in-advance' | 'pictures'
  readonly createdAt: number
  readonly expiresAt: number
  readonly state: 'open' | 'used' | 'revoked' | 'expired'
  readonly usedBy?: DeviceId | undefined
  readonly revocable: boolean
}

/** One key generation that is in use. */
export interface KeyLine {
  readonly scope: 'mesh' | 'person' | 'room'
  /** For rooms: the room's id. */
  readonly room?: string | undefined
  /** Counts up with every change. */
  readonly generation: number
  readonly changedAt: number
  readonly changedBy: DeviceId
  /** Devices that can open it. */
  readonly holders: number
}

/** What happens, or happened, to those who lose their place. */
export interface RemovalProgress {
  readonly device: DeviceId
  readonly name: string
  readonly removedAt: number
  readonly removedBy: DeviceId
  /** Generation of the mesh key that replaced the one it held; undefined while it is being changed. */
  readonly generation?: number | undefined
  /** Devices that have told that they know, of how many that should. */
  readonly told: number
  readonly of: number
}

interface Cancellable {
  readonly signal?: AbortSignal | undefined
}

/** People, rights, invitations, keys and the ledger, for screens and the command line. */
export interface MeshPeople {
  /** Own person first, then by name; removed ones are not in it. */
  people(): readonly PersonView[]
  /** @throws MeshError `device-unknown`, `unauthorized`, `conflict` (the last owner) */
  setRole(person: string, role: PersonRole, options?: Cancellable): Promise<void>
  /** @throws MeshError `usage`, `unauthorized` */
  renamePerson(person: string, name: string, options?: Cancellable): Promise<void>
  /** Removes a person with all devices. @throws MeshError `device-unknown`, `unauthorized`, `conflict` */
  removePerson(person: string, options?: Cancellable): Promise<void>
  /** In the common order, oldest first. */
  ledger(): readonly LedgerLine[]
  /** Reads every entry again from the store and checks every signature, link and rule. */
  verifyLedger(options?: Cancellable): Promise<LedgerCheck>
  invitations(): readonly InvitationLine[]
  /** @throws MeshError `invitation-unknown`, `unauthorized` */
  revokeInvitation(id: InvitationId, options?: Cancellable): Promise<void>
  keys(): readonly KeyLine[]
  /** Removals of the last day, newest first. */
  removals(): readonly RemovalProgress[]
}
