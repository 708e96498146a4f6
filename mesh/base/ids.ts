declare const brand: unique symbol

type Branded<Name extends string> = string & { readonly [brand]: Name }

/** A device: its libp2p peer id in base58 (`12D3Koo…`). */
export type DeviceId = Branded<'DeviceId'>
/** A model as it is named in `/v1/models`, the composer and on the wire. */
export type ModelId = Branded<'ModelId'>
/** A conversation of this person with the AI. */
export type ChatId = Branded<'ChatId'>
/** One message or answer in a chat. */
export type MessageId = Branded<'MessageId'>
/** One question on its way to an engine. */
export type RequestId = Branded<'RequestId'>
/** The owner of devices: 32 lower-case hex digits. */
export type PersonId = Branded<'PersonId'>
/** A conversation of people and AI. */
export type RoomId = Branded<'RoomId'>
/** A single-use invitation: the public half of its secret. */
export type InvitationId = Branded<'InvitationId'>
/** Who may read something: `mesh`, `person:<PersonId>` or `room:<RoomId>`. */
export type ScopeId = Branded<'ScopeId'>
/** A shared document within its scope: `[a-z0-9-]`, at most 64 characters. */
export type DocumentId = Branded<'DocumentId'>

/** A mesh: the hash of its first ledger entry, 64 hex digits. */
export type MeshId = Branded<'MeshId'>
/** A ledger entry: the hash of its context and body, 64 hex digits. */
export type EntryHash = Branded<'EntryHash'>

/** Longest id accepted from outside, in characters. */
export const ID_MAX_LENGTH = 128

/** Marks a string that was checked (or made) here as an id of the kind the caller expects. */
export function asId<Id extends Branded<string>>(value: string): Id {
  return value as Id
}
