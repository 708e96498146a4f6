/**
 * The ledger of a mesh: signed, hash-linked entries and the state they fold to, the
 * same on every device that has the same entries. Pure data and a store; knows no
 * network and no screen. Grammar and rules: docs/protocols/ledger.md.
 */
export { checkLedger, type LedgerFindings } from './check.ts'
export { activeDevice, audienceOf, scopesOf, type Audience } from './audience.ts'
export {
  certificateHash,
  openCertificate,
  signCertificate,
  signedCertificate,
  type Certificate,
  type SignedCertificate,
} from './certificate.ts'
export {
  checkConsent,
  CONSENT_BYTES,
  signConsent,
  type ConsentPlace,
  type ConsentTerms,
  type SignedConsent,
} from './consent.ts'
export {
  openEntry,
  signEntry,
  type EntryFields,
  type EntryType,
  type FieldsOf,
  type LedgerEntry,
  type Recipient,
} from './entry.ts'
export {
  admitByInvitation,
  checkInvitation,
  EXPIRY_SLACK_MS,
  inviteDraft,
  isOver,
  openConsent,
  termsOfInvitation,
  type InvitationTerms,
} from './invitation.ts'
export { holdingOf, recoveryRecipient, type KeyHolding } from './holders.ts'
export { dropNewLedger } from './ledger-log.ts'
export { createLedger, loadLedger, type NewMesh } from './ledger.ts'
export type { Cancellable, Ledger, LedgerChange, LedgerDamage, LedgerPorts, TakeResult } from './ledger-types.ts'
export {
  admissionProof,
  checkProof,
  invitationIdOfKey,
  invitationKey,
  personIdOfDevice,
  personIdOfInvitation,
  type ProofKey,
} from './proofs.ts'
export { admitByRecovery, recoveryDraft, recoveryOfKey, recoveryProof, isSameKey } from './recovery.ts'
export { RULES, type RuleName } from './rule-names.ts'
export { personScope, roomIdOf, roomScope, scopeId, scopeOf, type Scope, type ScopeId } from './scope.ts'
export { authorizeScope, scopeSeenBy, subjectOf } from './standing.ts'
export type {
  LedgerDevice,
  LedgerEpoch,
  LedgerInvitation,
  LedgerPerson,
  LedgerRecovery,
  LedgerRoom,
  LedgerShare,
  LedgerState,
} from './state.ts'
