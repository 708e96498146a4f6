/**
 * Who a device is and who belongs: keys, invitations, proofs, and the signed list
 * of devices. Pure data and storage; knows no network and no screen.
 */
export { isDeviceId, loadDeviceKey, type DeviceKey } from './device-key.ts'
export { formatInvitation, LINK_MAX_ADDRESSES, parseInvitation, type InvitationLink } from './invitation-link.ts'
export { INVITATION_LIFETIME_MS, loadInvitations, type Invitation, type Invitations } from './invitations.ts'
export { loadMembership, type Member, type Membership } from './membership.ts'
export { cleanName, generateDeviceName, NAME_MAX_LENGTH } from './names.ts'
export { comparePictures, invitationIdOf, joinProof, NONCE_BYTES, PROOF_BYTES } from './proof.ts'
export {
  openRoster,
  ROSTER_MAX_BYTES,
  signedRoster,
  type Roster,
  type RosterEntry,
  type SignedRoster,
} from './roster.ts'
export {
  authorize,
  everyAction,
  SUBJECTS,
  type Action,
  type ObjectOf,
  type Subject,
  type Verdict,
} from './authorize.ts'
export type { EpochChange, EpochKey, Epochs, Keyring } from './epochs-types.ts'
export {
  activeDevice,
  admissionProof,
  admitByInvitation,
  audienceOf,
  authorizeScope,
  certificateHash,
  checkInvitation,
  EXPIRY_SLACK_MS,
  invitationIdOfKey,
  invitationKey,
  createLedger,
  inviteDraft,
  isOver,
  loadLedger,
  openCertificate,
  openEntry,
  personIdOfDevice,
  personIdOfInvitation,
  personScope,
  roomIdOf,
  roomScope,
  RULES,
  scopeId,
  scopeOf,
  scopeSeenBy,
  scopesOf,
  SENTENCE_KEYS,
  sentenceOf,
  signCertificate,
  signedCertificate,
  signEntry,
  subjectOf,
  type Audience,
  type Certificate,
  type EntryFields,
  type EntrySentence,
  type EntryType,
  type FieldsOf,
  type InvitationTerms,
  type Ledger,
  type LedgerChange,
  type LedgerDamage,
  type LedgerDevice,
  type LedgerEntry,
  type LedgerEpoch,
  type LedgerInvitation,
  type LedgerPerson,
  type LedgerPorts,
  type LedgerRecovery,
  type LedgerRoom,
  type LedgerShare,
  type LedgerState,
  type NewMesh,
  type ProofKey,
  type Recipient,
  type RuleName,
  type Scope,
  type ScopeId,
  type SentenceKey,
  type SignedCertificate,
  type TakeResult,
} from './ledger/index.ts'
export { lowerRole, ROLES, type Role } from './roles.ts'
export { createEpochs, EPOCH_MAX_AGE_MS, EPOCH_STAGGER_MS, type EpochsPorts } from './epochs.ts'
