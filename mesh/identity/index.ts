/**
 * Who a device is and who belongs: keys, invitations, proofs, and the signed list
 * of devices. Pure data and storage; knows no network and no screen.
 */
export { isDeviceId, loadDeviceKey, verifyBy, type DeviceKey } from './device-key.ts'
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
