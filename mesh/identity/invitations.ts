import * as z from 'zod/mini'
import { MeshError, type Clock, type DeviceId, type InvitationId, type Random, type Store } from '../base/index.ts'
import { decode, deviceId, encode, exactBytes, text, whole } from '../wire/index.ts'
import { NAME_MAX_LENGTH } from './names.ts'
import { equalBytes, invitationIdOf, joinProof, SECRET_BYTES } from './proof.ts'

/** How long an invitation is open unless said otherwise: 10 minutes. */
export const INVITATION_LIFETIME_MS = 10 * 60_000
/** Longest lifetime one may ask for: one day. */
export const INVITATION_MAX_LIFETIME_MS = 24 * 60 * 60_000
/** Most invitations open at once. */
export const INVITATIONS_MAX_OPEN = 64
/** How long a used or expired one is remembered, so that the refusal can say why: one day. */
const KEEP_MS = 24 * 60 * 60_000

const record = z.object({
  secret: exactBytes(SECRET_BYTES),
  createdAt: whole(),
  expiresAt: whole(),
  person: text(NAME_MAX_LENGTH),
  role: z.enum(['owner', 'member']),
  confirmation: z.enum(['in-advance', 'pictures']),
  madeBy: deviceId,
  usedBy: z.nullable(deviceId),
  /** True: it admits nobody any more, not even who used it. */
  closed: z.optional(z.boolean()),
})

/** An invitation as its maker keeps it. */
export type Invitation = z.output<typeof record> & { readonly id: InvitationId }

/** The open and lately closed invitations of this device, kept in the store. */
export interface Invitations {
  create(
    options: Pick<Invitation, 'person' | 'role' | 'confirmation' | 'madeBy'> & {
      lifetimeMs?: number | undefined
      signal?: AbortSignal | undefined
    },
  ): Promise<Invitation>
  /**
   * The invitation a proof belongs to, if it still admits `joiner`.
   * @throws MeshError `invitation-unknown` (also for a wrong proof), `invitation-used`, `invitation-expired`
   */
  check(id: InvitationId, proof: Uint8Array, joiner: DeviceId): Invitation
  /** Closes it for everyone else. Resolves when that is durable. @throws MeshError `invitation-used` */
  use(id: InvitationId, joiner: DeviceId, options?: { signal?: AbortSignal | undefined }): Promise<void>
  /** Closes it for everyone: a person said no. Resolves when that is durable. */
  close(id: InvitationId, options?: { signal?: AbortSignal | undefined }): Promise<void>
  /** Closes those a device used, so that it cannot come back by one of them. Resolves when that is durable. */
  closeUsedBy(device: DeviceId, options?: { signal?: AbortSignal | undefined }): Promise<void>
  get(id: InvitationId): Invitation | undefined
  /** Invitations nobody used yet and that have not expired. */
  open(): readonly Invitation[]
}

/** Loads the invitations of `inviter`. A record that cannot be read is dropped: it admits nobody. */
export async function loadInvitations(
  ports: { readonly store: Store; readonly clock: Clock; readonly random: Random },
  inviter: DeviceId,
  options: { signal?: AbortSignal | undefined } = {},
): Promise<Invitations> {
  const { store, clock, random } = ports
  const known = new Map<InvitationId, Invitation>()

  for (const { key, value } of await store.list('invitation/', options)) {
    try {
      const fields = decode(value, record, { maxBytes: 4096, what: 'A stored invitation' })
      const id = invitationIdOf(fields.secret)
      if (fields.expiresAt + KEEP_MS > clock.now()) known.set(id, { ...fields, id })
      else await store.delete(key, options)
    } catch (error) {
      if (!(error instanceof MeshError) || error.code !== 'malformed') throw error
      await store.delete(key, options)
    }
  }

  const save = (invitation: Invitation, saveOptions: { signal?: AbortSignal | undefined }): Promise<void> => {
    const { id, ...fields } = invitation
    return store.put(`invitation/${id}`, encode(fields), saveOptions)
  }

  const usedUp = (): MeshError =>
    new MeshError('invitation-used', 'This invitation was already used. Ask for a new link.')

  const isUsedUpFor = (invitation: Invitation, joiner: DeviceId): boolean =>
    invitation.closed === true || (invitation.usedBy !== null && invitation.usedBy !== joiner)

  const close = async (invitation: Invitation, closeOptions: { signal?: AbortSignal | undefined }): Promise<void> => {
    const closed = { ...invitation, closed: true }
    // in memory before the write: a proof that arrives meanwhile is refused
    known.set(invitation.id, closed)
    await save(closed, closeOptions)
  }

  const open = (): Invitation[] =>
    [...known.values()].filter((one) => one.usedBy === null && one.closed !== true && one.expiresAt > clock.now())

  return {
    async create({ person, role, confirmation, madeBy, lifetimeMs = INVITATION_LIFETIME_MS, signal }) {
      if (open().length >= INVITATIONS_MAX_OPEN) {
        throw new MeshError(
          'refused',
          `There are ${String(INVITATIONS_MAX_OPEN)} open invitations already. Wait until some expire.`,
        )
      }
      const secret = random.bytes(SECRET_BYTES)
      const createdAt = clock.now()
      const expiresAt = createdAt + Math.min(Math.max(lifetimeMs, 1000), INVITATION_MAX_LIFETIME_MS)
      const invitation: Invitation = {
        id: invitationIdOf(secret),
        secret,
        createdAt,
        expiresAt,
        person,
        role,
        confirmation,
        madeBy,
        usedBy: null,
      }
      await save(invitation, { signal })
      known.set(invitation.id, invitation)
      return invitation
    },
    check(id, proof, joiner) {
      const invitation = known.get(id)
      // a wrong proof reads like an unknown invitation: it tells a guesser nothing
      if (invitation === undefined || !equalBytes(proof, joinProof(invitation.secret, inviter, joiner))) {
        throw new MeshError('invitation-unknown', 'This invitation is not known here. Ask for a new link.')
      }
      if (isUsedUpFor(invitation, joiner)) throw usedUp()
      if (invitation.expiresAt <= clock.now()) {
        throw new MeshError('invitation-expired', 'This invitation has expired. Ask for a new link.')
      }
      return invitation
    },
    async use(id, joiner, useOptions = {}) {
      const invitation = known.get(id)
      if (invitation === undefined)
        throw new MeshError('invitation-unknown', 'This invitation is not known here. Ask for a new link.')
      if (isUsedUpFor(invitation, joiner)) throw usedUp()
      const used = { ...invitation, usedBy: joiner }
      // taken in memory before the write, so that two joiners in the same moment cannot both win
      known.set(id, used)
      try {
        await save(used, useOptions)
      } catch (error) {
        known.set(id, invitation)
        throw error
      }
    },
    async close(id, closeOptions = {}) {
      const invitation = known.get(id)
      if (invitation !== undefined) await close(invitation, closeOptions)
    },
    async closeUsedBy(device, closeOptions = {}) {
      const used = [...known.values()].filter((one) => one.usedBy === device && one.closed !== true)
      await Promise.all(used.map((one) => close(one, closeOptions)))
    },
    get: (id) => known.get(id),
    open,
  }
}
