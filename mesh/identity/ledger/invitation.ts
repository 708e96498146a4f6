import { MeshError, type DeviceId, type InvitationId, type MeshId, type PersonId } from '../../base/index.ts'
import type { Role } from '../roles.ts'
import type { SignedCertificate } from './certificate.ts'
import { checkConsent, type ConsentTerms, type SignedConsent } from './consent.ts'
import { readCertificate } from './certificate.ts'
import type { FieldsOf } from './entry.ts'
import { checkProof, invitationKey, invitationPossession, personIdOfInvitation } from './proofs.ts'
import type { LedgerInvitation, LedgerState } from './state.ts'

/** How long an invitation is good for everywhere, however wrong a clock is, beyond its expiry: one day. */
export const EXPIRY_SLACK_MS = 24 * 60 * 60_000

/** What an invitation is for. */
export interface InvitationTerms {
  /** A person of one's own, or the name of a new one. */
  readonly person: PersonId | { readonly name: string }
  readonly role: Role
  readonly confirmation: 'in-advance' | 'pictures'
  /** ms since 1970, by the maker's clock */
  readonly now: number
  readonly lifetimeMs: number
}

/** The entry that publishes an invitation of this secret, made by `maker`. @throws MeshError `usage` */
export function inviteDraft(secret: Uint8Array, maker: DeviceId, terms: InvitationTerms): FieldsOf<'invite'> {
  const key = invitationKey(secret)
  return {
    type: 'invite',
    key: key.publicKey,
    possession: invitationPossession(key, maker),
    person:
      typeof terms.person === 'string'
        ? terms.person
        : { id: personIdOfInvitation(key.publicKey), name: terms.person.name },
    role: terms.role,
    confirmation: terms.confirmation,
    expiresAt: terms.now + terms.lifetimeMs,
    lifetimeMs: terms.lifetimeMs,
  }
}

/** The entry that admits the device of a certificate by an invitation whose proof it showed, and to which it agreed. */
export function admitByInvitation(
  invitation: Pick<LedgerInvitation, 'person' | 'key'>,
  proof: Uint8Array,
  certificate: SignedCertificate,
  consent: SignedConsent,
): FieldsOf<'admit'> {
  return { type: 'admit', certificate, person: invitation.person, invitation: { key: invitation.key, proof }, consent }
}

/** As what a device comes that was shown the link of an invitation. */
export function termsOfInvitation(
  invitation: Pick<LedgerInvitation, 'madeBy' | 'personName' | 'role' | 'confirmation'>,
): ConsentTerms {
  const { madeBy, personName, role, confirmation } = invitation
  return { by: 'link', inviter: madeBy, person: personName ?? '', role, confirmation }
}

/**
 * The signature of a device as its consent to an invitation, whose link or words it was shown.
 * @throws MeshError `integrity` when it agreed to something else
 */
export async function openConsent(
  invitation: LedgerInvitation,
  given: { readonly certificate: SignedCertificate; readonly consent: Uint8Array; readonly by: 'link' | 'words' },
  mesh: MeshId,
): Promise<SignedConsent> {
  const terms: ConsentTerms = given.by === 'words' ? { by: 'words' } : termsOfInvitation(invitation)
  const consent = { terms, signature: given.consent }
  const { certificate } = given
  await checkConsent(readCertificate(certificate).device, consent, { mesh, key: invitation.key, certificate })
  return consent
}

/**
 * The invitation a proof belongs to, if it admits the device of the certificate now.
 * Its time is counted on this device's clock from when this device first saw it
 * (`seenAt`), so that a maker's wrong clock neither shortens nor stretches it; and no
 * clock keeps it alive longer than a day beyond its stated expiry.
 * @throws MeshError `invitation-unknown` (also for a wrong proof), `invitation-used`, `invitation-expired`
 */
export async function checkInvitation(
  state: LedgerState,
  id: InvitationId,
  proof: Uint8Array,
  certificate: SignedCertificate,
  time: { readonly now: number; readonly seenAt: number | undefined },
): Promise<LedgerInvitation> {
  const invitation = state.invitations.get(id)
  if (invitation === undefined || !(await isProven(invitation, proof, state.mesh, certificate))) {
    // a wrong proof reads like an unknown invitation: it tells a guesser nothing
    throw new MeshError('invitation-unknown', 'This invitation is not known here. Ask for a new link.')
  }
  checkOpen(state, invitation, readCertificate(certificate).device)
  if (isOver(invitation, time))
    throw new MeshError('invitation-expired', 'This invitation has expired. Ask for a new link.')
  return invitation
}

/** True when nobody is to be admitted by it any more for its age alone. */
export function isOver(
  invitation: Pick<LedgerInvitation, 'expiresAt' | 'lifetimeMs'>,
  time: { readonly now: number; readonly seenAt: number | undefined },
): boolean {
  if (time.now > invitation.expiresAt + EXPIRY_SLACK_MS) return true
  // never seen here as an entry of its own: only what it says of itself is left
  if (time.seenAt === undefined) return time.now > invitation.expiresAt
  return time.now - time.seenAt >= invitation.lifetimeMs
}

async function isProven(
  invitation: LedgerInvitation,
  proof: Uint8Array,
  mesh: MeshId,
  certificate: SignedCertificate,
): Promise<boolean> {
  try {
    await checkProof(invitation.key, proof, mesh, certificate)
    return true
  } catch (error) {
    if (error instanceof MeshError && error.code === 'integrity') return false
    throw error
  }
}

function checkOpen(state: LedgerState, invitation: LedgerInvitation, device: DeviceId): void {
  if (invitation.state === 'revoked')
    throw new MeshError('invitation-used', 'This invitation was taken back. Ask for a new link.')
  // the same device again: its answer was lost; but one that was removed does not come back by it
  const isAgain = invitation.usedBy === device && state.devices.get(device)?.removedAt === null
  if (invitation.state === 'used' && !isAgain)
    throw new MeshError('invitation-used', 'This invitation was already used. Ask for a new link.')
}
