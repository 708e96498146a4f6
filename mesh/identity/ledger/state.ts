import type { DeviceId, EntryHash, InvitationId, MeshId, PersonId, RoomId } from '../../base/index.ts'
import type { Role } from '../roles.ts'
import type { SignedCertificate } from './certificate.ts'
import type { Recipient } from './entry.ts'
import type { RuleName } from './rule-names.ts'
import type { ScopeId } from './scope.ts'

/** A person of the mesh. Removed ones stay in the state, so that everyone knows. Times are of the authors' clocks, ms. */
export interface LedgerPerson {
  readonly id: PersonId
  readonly name: string
  readonly role: Role
  readonly addedAt: number
  readonly removedAt: number | null
  readonly removedBy: DeviceId | null
}

/** A device of the mesh. Removed ones stay. */
export interface LedgerDevice {
  readonly id: DeviceId
  readonly name: string
  readonly kind: 'helper' | 'browser'
  readonly person: PersonId
  /** X25519, what epochs are sealed to. */
  readonly sealingKey: Uint8Array
  readonly certificate: SignedCertificate
  /** The entry that brought the certificate in force: who wrote after it knew this sealing key. */
  readonly certifiedBy: EntryHash
  readonly admittedAt: number
  readonly admittedBy: DeviceId
  /** The entry that admitted it. */
  readonly admission: EntryHash
  readonly invitation: InvitationId | null
  /** True: it came by the recovery key of its person. */
  readonly recovered: boolean
  /** True: it said itself that it comes as this. False only in a mesh that began before devices did. */
  readonly consented: boolean
  readonly removedAt: number | null
  readonly removedBy: DeviceId | null
}

/** An invitation as the ledger knows it; whether its time is up is asked of `checkInvitation`. */
export interface LedgerInvitation {
  readonly id: InvitationId
  /** Its Ed25519 public key. */
  readonly key: Uint8Array
  /** The entry that made it. */
  readonly entry: EntryHash
  readonly madeBy: DeviceId
  readonly madeByPerson: PersonId
  /** Whose device comes: the inviter's own person or a new one. */
  readonly person: PersonId
  /** The name of the new person; null for a further device of the inviter's. */
  readonly personName: string | null
  readonly role: Role
  readonly confirmation: 'in-advance' | 'pictures'
  readonly expiresAt: number
  readonly lifetimeMs: number
  readonly state: 'open' | 'used' | 'revoked'
  readonly usedBy: DeviceId | null
}

/** The recovery key of a person: 12 words or two of three parts hold its secret. */
export interface LedgerRecovery {
  readonly person: PersonId
  readonly sign: Uint8Array
  readonly seal: Uint8Array
  /** The entry that set it. */
  readonly entry: EntryHash
}

/** A room: who it is open to. Its name and content are sealed in its document. */
export interface LedgerRoom {
  readonly id: RoomId
  readonly people: ReadonlySet<PersonId>
  readonly history: 'all' | 'joining'
  readonly createdBy: DeviceId
  readonly createdByPerson: PersonId
  /** The entries that brought in each person now in it. */
  readonly joinedBy: ReadonlyMap<PersonId, readonly EntryHash[]>
}

/** One generation of a scope's key. */
export interface LedgerEpoch {
  /** The hash of its `rotate` entry. */
  readonly id: EntryHash
  readonly scope: ScopeId
  readonly generation: number
  /** Hash of the key: who is given another one under this epoch's name sees it. */
  readonly check: Uint8Array
  readonly by: DeviceId
  readonly at: number
  readonly sealed: readonly { readonly to: Recipient; readonly box: Uint8Array }[]
  /** False: it was made by somebody removed meanwhile. To read with, never to write with. */
  readonly counts: boolean
}

/** Keys of older epochs, sealed to one who came later. */
export interface LedgerShare {
  readonly entry: EntryHash
  readonly scope: ScopeId
  readonly to: Recipient
  readonly epochs: readonly EntryHash[]
  readonly box: Uint8Array
}

/** What the ledger says now: the fold of its entries, the same on every device that has the same entries. */
export interface LedgerState {
  readonly mesh: MeshId
  readonly name: string
  readonly people: ReadonlyMap<PersonId, LedgerPerson>
  readonly devices: ReadonlyMap<DeviceId, LedgerDevice>
  readonly invitations: ReadonlyMap<InvitationId, LedgerInvitation>
  readonly recoveries: ReadonlyMap<PersonId, LedgerRecovery>
  readonly rooms: ReadonlyMap<RoomId, LedgerRoom>
  /** Of each scope, newest first: highest generation, then smallest hash. */
  readonly epochs: ReadonlyMap<ScopeId, readonly LedgerEpoch[]>
  readonly shares: readonly LedgerShare[]
  /** The entries that do not count, and by which rule. */
  readonly ignored: ReadonlyMap<EntryHash, RuleName>
  /** Of these the ones that were wrong in what they saw themselves: they never gave anybody anything. */
  readonly neverCounted: ReadonlySet<EntryHash>
}
