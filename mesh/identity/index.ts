/**
 * Who a device is and who belongs: keys, invitations, the signed ledger, rights and
 * the keys of what is shared. Pure data and storage; knows no network and no screen.
 */
export { isDeviceId, loadDeviceKey, verifyBy, type DeviceKey } from './device-key.ts'
export { loadEarlierLists, type EarlierDevice, type EarlierLists } from './earlier-list.ts'
export { formatInvitation, LINK_MAX_ADDRESSES, parseInvitation, type InvitationLink } from './invitation-link.ts'
export { INVITATION_LIFETIME_MS, INVITATION_MAX_LIFETIME_MS, INVITATIONS_MAX_OPEN } from './invitation-terms.ts'
export {
  loadMembership,
  type CallAction,
  type Member,
  type Membership,
  type OwnDevice,
  type ServeAction,
  type Standing,
} from './membership.ts'
export { cleanName, generateDeviceName, NAME_MAX_LENGTH } from './names.ts'
export { checkOriginProof, ORIGIN_NONCE_BYTES, originProof } from './origin-proof.ts'
export { PICTURES, type PictureName } from './picture-names.ts'
export {
  commitmentOf,
  COMMITMENT_BYTES,
  comparePictures,
  equalBytes,
  NONCE_BYTES,
  PICTURE_COUNT,
  SECRET_BYTES,
  type Comparison,
} from './proof.ts'
export { checkKnock, knockProof } from './knock-proof.ts'
export { loadSealingKey } from './sealing-key.ts'
export {
  authorize,
  everyAction,
  SUBJECTS,
  type Action,
  type ObjectOf,
  type Subject,
  type Verdict,
} from './authorize.ts'
export type { EpochChange, EpochKey, Epochs, GivenKeys, Keyring } from './epochs-types.ts'
export {
  activeDevice,
  admissionProof,
  admitByInvitation,
  admitByRecovery,
  audienceOf,
  authorizeScope,
  certificateHash,
  checkConsent,
  checkInvitation,
  checkLedger,
  checkProof,
  CONSENT_BYTES,
  EXPIRY_SLACK_MS,
  invitationIdOfKey,
  invitationKey,
  createLedger,
  inviteDraft,
  isOver,
  loadLedger,
  openCertificate,
  openConsent,
  openEntry,
  personIdOfDevice,
  personIdOfInvitation,
  personScope,
  recoveryDraft,
  recoveryOfKey,
  recoveryProof,
  roomIdOf,
  roomScope,
  RULES,
  scopeId,
  scopeOf,
  scopeSeenBy,
  scopesOf,
  signCertificate,
  signConsent,
  signedCertificate,
  signEntry,
  subjectOf,
  termsOfInvitation,
  type Audience,
  type Certificate,
  type ConsentPlace,
  type ConsentTerms,
  type EntryFields,
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
  type SignedCertificate,
  type SignedConsent,
  type TakeResult,
} from './ledger/index.ts'
export { lowerRole, ROLES, type Role } from './roles.ts'
export { checkShown, type Shown } from './shown.ts'
export { makeWords, readWords, secretOfWords } from './words.ts'
export { createEpochs, EPOCH_MAX_AGE_MS, EPOCH_STAGGER_MS, type EpochsPorts } from './epochs.ts'
