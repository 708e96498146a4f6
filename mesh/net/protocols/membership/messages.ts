import * as z from 'zod/mini'
import { NAME_MAX_LENGTH } from '../../../identity/index.ts'
import { deviceId, invitationId, text, whole } from '../../../wire/index.ts'
import type { ProtocolShape } from '../../protocol.ts'

/** An admitted device asks the keeper of the list to change it. */
export const MEMBERSHIP: ProtocolShape = { id: '/plexus/membership/1.0.0', maxFrameBytes: 16 * 1024, maxStreams: 8 }

/** What may be asked of the keeper. */
export const request = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('invite'),
    person: text(NAME_MAX_LENGTH),
    confirmation: z.enum(['in-advance', 'pictures']),
    lifetimeMs: z.optional(whole()),
  }),
  z.object({ type: z.literal('remove'), device: deviceId }),
  z.object({ type: z.literal('rename'), device: deviceId, name: text(NAME_MAX_LENGTH) }),
  z.object({ type: z.literal('settle'), invitation: invitationId, admit: z.boolean() }),
])

/** What the keeper answers. */
export const reply = z.discriminatedUnion('type', [
  z.object({ type: z.literal('done') }),
  z.object({
    type: z.literal('invitation'),
    id: invitationId,
    fragment: text(4096),
    url: text(4400),
    expiresAt: whole(),
    confirmation: z.enum(['in-advance', 'pictures']),
  }),
])

/** One request to the keeper of a list. */
export type MembershipRequest = z.output<typeof request>
/** Its answer. */
export type MembershipReply = z.output<typeof reply>
