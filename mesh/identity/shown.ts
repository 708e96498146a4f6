import { MeshError, type DeviceId, type InvitationId } from '../base/index.ts'
import type { InvitationLink } from './invitation-link.ts'
import {
  invitationIdOfKey,
  invitationKey,
  isSameKey,
  personIdOfDevice,
  personIdOfInvitation,
  type LedgerDevice,
  type LedgerInvitation,
  type LedgerPerson,
  type LedgerState,
} from './ledger/index.ts'
import { cleanName } from './names.ts'

/**
 * What the person of this device saw before it agreed to go to another mesh. Nothing
 * but that is gone to, whoever answers: a door is only where one was let in.
 */
export type Shown =
  /** A link: who invites, as whose device, with which rights, confirmed how. */
  | { readonly by: 'link'; readonly link: InvitationLink }
  /** Six words, by the invitation their key makes: a further device of whoever typed them. */
  | { readonly by: 'words'; readonly invitation: InvitationId }
  /** Recovery words, by their public key: a device of the person whose they are. */
  | { readonly by: 'recovery'; readonly key: Uint8Array }
  /** The device on whose list version 0.1 had this one. */
  | { readonly by: 'list'; readonly keeper: DeviceId }

interface Place {
  readonly state: LedgerState
  readonly device: LedgerDevice
  readonly person: LedgerPerson
}

/**
 * Whether a ledger makes this device what its person was shown, and by nothing else.
 * @throws MeshError `integrity` with a sentence that says what differs
 */
export function checkShown(state: LedgerState, self: DeviceId, shown: Shown): void {
  const device = state.devices.get(self)
  const person = device === undefined ? undefined : state.people.get(device.person)
  const isIn = device?.removedAt === null && person?.removedAt === null
  if (device === undefined || person === undefined || !isIn)
    throw differs('The mesh that answered does not name this device.')
  const place = { state, device, person }
  switch (shown.by) {
    case 'link':
      checkLink(place, shown.link)
      return
    case 'words':
      checkWords(place, shown.invitation)
      return
    case 'recovery':
      checkRecovery(place, shown.key)
      return
    case 'list':
      checkList(place, shown.keeper)
  }
}

function checkLink(place: Place, link: InvitationLink): void {
  const key = invitationKey(link.secret).publicKey
  const invitation = usedInvitation(place, invitationIdOfKey(key))
  if (invitation === undefined) throw differs('This device was let in by something else than the invitation it opened.')
  const { state, device, person } = place
  if (invitation.madeBy !== link.inviter)
    throw differs('The invitation was made by another device than the link names.')
  const isOwn = link.person === ''
  const expected = isOwn ? invitation.madeByPerson : personIdOfInvitation(key)
  const isNamed = isOwn ? invitation.personName === null : invitation.personName === cleanName(link.person)
  if (!isNamed || invitation.person !== expected || device.person !== expected)
    throw differs('It would be the device of another person than the link says.')
  if (isOwn && state.devices.get(link.inviter)?.person !== expected)
    throw differs('The device that invites belongs to another person than the link says.')
  if (invitation.role !== link.role || person.role !== link.role)
    throw differs('Its person has other rights there than the link says.')
  if (invitation.confirmation !== link.confirmation)
    throw differs('The invitation is confirmed in another way than the link says.')
}

function checkWords(place: Place, id: InvitationId): void {
  const invitation = usedInvitation(place, id)
  if (invitation === undefined) throw differs('This device was let in by somebody who did not know its words.')
  const isOwn = invitation.personName === null && invitation.person === invitation.madeByPerson
  if (!isOwn || place.device.person !== invitation.person)
    throw differs('It would be the device of another person than the one who typed the words.')
}

function checkRecovery({ state, person }: Place, key: Uint8Array): void {
  const inForce = state.recoveries.get(person.id)
  if (inForce === undefined || !isSameKey(inForce.sign, key))
    throw differs('The mesh that answered is not the one these words were made in.')
}

/** Version 0.1 knew its keeper alone: what that one says counts, about the keeper's own person or a new one. */
function checkList({ state, device }: Place, keeper: DeviceId): void {
  const kept = state.devices.get(keeper)
  if (kept === undefined || kept.removedAt !== null || device.admittedBy !== keeper)
    throw differs('This device was let in by another device than the one that had it on its list.')
  if (device.person !== kept.person && device.person !== personIdOfDevice(device.id))
    throw differs('It would be the device of a person who never had it.')
}

/** The invitation this device came by, proven by its key to mesh and certificate, if it is this one. */
function usedInvitation({ state, device }: Place, id: InvitationId): LedgerInvitation | undefined {
  return device.invitation === id ? state.invitations.get(id) : undefined
}

function differs(sentence: string): MeshError {
  return new MeshError('integrity', `${sentence} Nothing was joined.`, { fault: 'peer' })
}
