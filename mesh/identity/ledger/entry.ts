import { sha256 } from '@noble/hashes/sha2.js'
import * as z from 'zod/mini'
import {
  asId,
  LEDGER_ENTRY_MAX_BYTES,
  LEDGER_EPOCHS_PER_SHARE_MAX,
  LEDGER_HEADS_MAX,
  LEDGER_PEOPLE_PER_ROOM_MAX,
  LEDGER_RECIPIENTS_MAX,
  LEDGER_SMALL_ENTRY_MAX_BYTES,
  MeshError,
  type DeviceId,
  type EntryHash,
  type MeshId,
  type PersonId,
} from '../../base/index.ts'
import { SEALING_KEY_BYTES } from '../../seal/index.ts'
import {
  bytes,
  decode,
  deviceId,
  encode,
  exactBytes,
  fromHex,
  invitationId,
  list,
  personId,
  roomId,
  text,
  toHex,
  whole,
} from '../../wire/index.ts'
import type { DeviceKey } from '../device-key.ts'
import { cleanName, NAME_MAX_LENGTH } from '../names.ts'
import { ROLES } from '../roles.ts'
import { openCertificate, signedCertificate, type Certificate } from './certificate.ts'
import { checkConsent, signedConsent, type SignedConsent } from './consent.ts'
import {
  checkPossession,
  checkProof,
  checkRecoveryPossession,
  personIdOfDevice,
  personIdOfInvitation,
} from './proofs.ts'
import { scopeId } from './scope.ts'
import { verifySignature } from './signature.ts'

const CONTEXT = new TextEncoder().encode('plexus ledger 1\n')
const VERSION = 1
const HASH_BYTES = 32
const SIGNATURE_BYTES = 64
/** Largest box of one epoch key, in bytes: 32 of key, 48 around it, and room for a later suite. */
const KEY_BOX_MAX_BYTES = 256
/** Largest box of shared keys, in bytes. */
const SHARE_BOX_MAX_BYTES = LEDGER_EPOCHS_PER_SHARE_MAX * 32 + 256

const name = text(NAME_MAX_LENGTH)
const role = z.enum(ROLES)
const hash = exactBytes(HASH_BYTES)
const signature = exactBytes(SIGNATURE_BYTES)
const publicKey = exactBytes(32)

/** Who a box is for: a device, or whoever holds the recovery key of a person. */
export type Recipient = DeviceId | `recovery:${PersonId}`

const recipient = z.union([
  deviceId,
  text(41).check(z.regex(/^recovery:[0-9a-f]{32}$/)),
]) as unknown as z.ZodMiniType<Recipient>

// one schema an entry type: the whole vocabulary of the ledger
const FIELDS = {
  create: z.object({
    type: z.literal('create'),
    name,
    person: z.object({ id: personId, name }),
    certificate: signedCertificate,
    /** In this mesh nobody is let in without a word of the device itself; absent where it began earlier. */
    admissions: z.optional(z.literal('consented')),
  }),
  admit: z.object({
    type: z.literal('admit'),
    certificate: signedCertificate,
    person: personId,
    invitation: z.optional(z.object({ key: publicKey, proof: signature })),
    recovery: z.optional(z.object({ key: publicKey, proof: signature })),
    newPerson: z.optional(z.object({ name, role })),
    /** The word of the device that comes. One that writes the entry itself has said it by that. */
    consent: z.optional(signedConsent),
  }),
  certify: z.object({ type: z.literal('certify'), certificate: signedCertificate }),
  revoke: z.object({ type: z.literal('revoke'), device: z.optional(deviceId), person: z.optional(personId) }),
  role: z.object({ type: z.literal('role'), person: personId, role }),
  rename: z.object({
    type: z.literal('rename'),
    device: z.optional(deviceId),
    person: z.optional(personId),
    name,
  }),
  invite: z.object({
    type: z.literal('invite'),
    key: publicKey,
    possession: signature,
    person: z.union([personId, z.object({ id: personId, name })]),
    role,
    confirmation: z.enum(['in-advance', 'pictures']),
    expiresAt: whole(),
    lifetimeMs: whole(),
  }),
  'invite-revoked': z.object({ type: z.literal('invite-revoked'), id: invitationId }),
  recovery: z.object({
    type: z.literal('recovery'),
    person: personId,
    /** `possession` binds the key to mesh and person: who comes back by it knows the mesh by it. */
    keys: z.nullable(z.object({ sign: publicKey, seal: exactBytes(SEALING_KEY_BYTES), possession: signature })),
  }),
  rotate: z.object({
    type: z.literal('rotate'),
    scope: scopeId,
    generation: whole(),
    /** Hash of the key, so that everybody who is given it knows that it is this one. */
    check: hash,
    sealed: list(z.object({ to: recipient, box: bytes(KEY_BOX_MAX_BYTES) }), LEDGER_RECIPIENTS_MAX),
  }),
  share: z.object({
    type: z.literal('share'),
    scope: scopeId,
    to: recipient,
    epochs: list(hash, LEDGER_EPOCHS_PER_SHARE_MAX),
    box: bytes(SHARE_BOX_MAX_BYTES),
  }),
  room: z.object({
    type: z.literal('room'),
    people: list(personId, LEDGER_PEOPLE_PER_ROOM_MAX),
    history: z.enum(['all', 'joining']),
  }),
  'room-people': z.object({
    type: z.literal('room-people'),
    room: roomId,
    add: list(personId, LEDGER_PEOPLE_PER_ROOM_MAX),
    remove: list(personId, LEDGER_PEOPLE_PER_ROOM_MAX),
  }),
} as const

const envelope = z.object({ body: bytes(LEDGER_ENTRY_MAX_BYTES), signature })
const frame = z.object({
  v: whole(),
  type: text(32).check(z.regex(/^[a-z][a-z-]*$/)),
  author: deviceId,
  parents: list(hash, LEDGER_HEADS_MAX),
  at: whole(),
})

/** The types of entries this version knows. */
export type EntryType = keyof typeof FIELDS
/** The fields of one type of entry, names cleaned. */
export type FieldsOf<Type extends EntryType> = z.output<(typeof FIELDS)[Type]>
/** What an entry says: the fields of its type. */
export type EntryFields = { [Type in EntryType]: FieldsOf<Type> }[EntryType]
/** An entry of a later version: kept and passed on, and of no effect here. */
export interface UnknownFields {
  readonly type: 'unknown'
}

/** A verified entry: signed by its author, well-formed, its proofs and certificates genuine. Whether it counts is the fold's. */
export interface LedgerEntry<Fields extends EntryFields | UnknownFields = EntryFields | UnknownFields> {
  readonly hash: EntryHash
  readonly author: DeviceId
  /** The heads the author saw, in the order it named them. */
  readonly parents: readonly EntryHash[]
  /** The author's clock, ms since 1970: to show, never to decide by. */
  readonly at: number
  readonly fields: Fields
  /** The certificate in it, read; only where the type has one. */
  readonly certificate: Certificate | undefined
  /** `{body, signature}` as it travels and rests. */
  readonly bytes: Uint8Array
}

interface Cancellable {
  readonly signal?: AbortSignal | undefined
}

/** Signs an entry. @throws MeshError `too-large`, `malformed` (what nobody would take) */
export async function signEntry(
  key: DeviceKey,
  fields: EntryFields,
  place: { readonly parents: readonly EntryHash[]; readonly at: number; readonly mesh?: MeshId | undefined },
  options: Cancellable = {},
): Promise<LedgerEntry> {
  const body = encode({
    v: VERSION,
    author: key.id,
    parents: place.parents.map((parent) => fromHex(parent)),
    at: place.at,
    ...fields,
  })
  const signed = encode({ body, signature: await key.sign(withContext(body), options) })
  return openEntry(signed, place.mesh)
}

/**
 * Opens an entry that may come from anyone: bounded, decoded, and every signature in
 * it verified before anything is believed. `mesh` is what proofs are bound to; only a
 * `create` entry can be opened without.
 * @throws MeshError `too-large`, `malformed`, `integrity`, `unsupported`
 */
export async function openEntry(signed: Uint8Array, mesh: MeshId | undefined): Promise<LedgerEntry> {
  const outer = decode(signed, envelope, { maxBytes: LEDGER_ENTRY_MAX_BYTES, what: 'A ledger entry' })
  const bounds = { maxBytes: LEDGER_ENTRY_MAX_BYTES, what: 'A ledger entry' }
  const head = decode(outer.body, frame, bounds)
  if (head.v !== VERSION) {
    throw new MeshError('unsupported', 'A ledger entry is of a later version. Update Plexus on this device.')
  }
  const message = withContext(outer.body)
  if (!(await verifySignature(head.author, message, outer.signature)))
    throw new MeshError('integrity', 'A ledger entry is not signed by the device it names as its author.')
  if (outer.body.byteLength > maxBytesOf(head.type))
    throw new MeshError('too-large', 'A ledger entry is larger than anything of its type.', { fault: 'peer' })
  const hashed = asId<EntryHash>(toHex(sha256(message)))
  const fields = isKnown(head.type) ? cleaned(decode(outer.body, FIELDS[head.type], bounds)) : UNKNOWN
  const certificate = 'certificate' in fields ? await openCertificate(fields.certificate) : undefined
  const entry: LedgerEntry = {
    hash: hashed,
    author: head.author,
    parents: head.parents.map((parent) => asId<EntryHash>(toHex(parent))),
    at: head.at,
    fields,
    certificate,
    // made anew: bytes behind unknown fields of the outer map would be another spelling of the same entry
    bytes: encode({ body: outer.body, signature: outer.signature }),
  }
  checkForm(entry)
  await checkProofs(entry, mesh ?? (fields.type === 'create' ? asId<MeshId>(hashed) : undefined))
  return entry
}

/** Types that carry a box for each of many, or name many people. */
const LARGE: ReadonlySet<string> = new Set<EntryType>(['rotate', 'share', 'room', 'room-people'])

/** What nobody reads takes room all the same: whoever pads an entry with unknown fields has only so much. */
function maxBytesOf(type: string): number {
  return LARGE.has(type) ? LEDGER_ENTRY_MAX_BYTES : LEDGER_SMALL_ENTRY_MAX_BYTES
}

const UNKNOWN: UnknownFields = { type: 'unknown' }

function isKnown(type: string): type is EntryType {
  return Object.hasOwn(FIELDS, type)
}

/** Whoever signs an entry chooses the names in it, and they are shown. */
function cleaned(fields: EntryFields): EntryFields {
  switch (fields.type) {
    case 'create':
      return { ...fields, name: cleanName(fields.name), person: { ...fields.person, name: named(fields.person.name) } }
    case 'admit':
      return fields.newPerson === undefined
        ? fields
        : { ...fields, newPerson: { ...fields.newPerson, name: named(fields.newPerson.name) } }
    case 'rename':
      return { ...fields, name: cleanName(fields.name) }
    case 'invite':
      return typeof fields.person === 'string'
        ? fields
        : { ...fields, person: { ...fields.person, name: named(fields.person.name) } }
    default:
      return fields
  }
}

function named(value: string): string {
  return cleanName(value) || 'Unnamed'
}

/** What can be said of an entry alone, without the ledger around it. */
function checkForm(entry: LedgerEntry): void {
  const { fields, parents } = entry
  if (new Set(parents).size !== parents.length) throw malformed('names a parent twice')
  if ((fields.type === 'create') !== (parents.length === 0)) throw malformed('is at the wrong place')
  switch (fields.type) {
    case 'create':
    case 'certify':
      if (entry.certificate?.device !== entry.author) throw malformed('carries the certificate of another device')
      return
    case 'admit':
      checkAdmit(fields, entry.certificate?.device)
      if (fields.consent !== undefined) checkConsentForm(fields, fields.consent, entry.author)
      return
    case 'revoke':
      if ((fields.device === undefined) === (fields.person === undefined)) throw malformed('removes not one thing')
      return
    case 'rename':
      if (fields.device !== undefined && fields.person !== undefined) throw malformed('names two things')
      if (fields.name === '') throw malformed('gives an empty name')
      return
    case 'invite':
      if (typeof fields.person !== 'string' && fields.person.id !== personIdOfInvitation(fields.key))
        throw malformed('invites a person under an id that is not the invitation’s')
      return
    case 'rotate':
      if (new Set(fields.sealed.map(({ to }) => to)).size !== fields.sealed.length)
        throw malformed('seals twice to one recipient')
      return
    default:
  }
}

function checkAdmit(fields: FieldsOf<'admit'>, device: DeviceId | undefined): void {
  const ways = [fields.invitation, fields.recovery, fields.newPerson].filter((way) => way !== undefined)
  if (ways.length > 1) throw malformed('admits in two ways at once')
  if (device === undefined) throw malformed('admits nobody')
  // an id somebody else could choose again would let them put their own device into that person
  if (fields.newPerson !== undefined && fields.person !== personIdOfDevice(device))
    throw malformed('adds a person under an id that is not its first device’s')
}

/** A device agrees to one way of coming: by the very key that is shown here, or by the word of the author. */
function checkConsentForm(fields: FieldsOf<'admit'>, { terms }: SignedConsent, author: DeviceId): void {
  const way = fields.invitation !== undefined ? 'invitation' : fields.recovery !== undefined ? 'recovery' : 'device'
  const agreed = terms.by === 'link' || terms.by === 'words' ? 'invitation' : terms.by
  if (way !== agreed || (terms.by === 'device' && terms.device !== author))
    throw malformed('admits a device in another way than it agreed to')
}

async function checkProofs(entry: LedgerEntry, mesh: MeshId | undefined): Promise<void> {
  const { fields } = entry
  if (fields.type === 'invite') await checkPossession(fields.key, entry.author, fields.possession)
  if (fields.type === 'recovery' && fields.keys !== null) {
    if (mesh === undefined) throw malformed('proves something to no mesh')
    await checkRecoveryPossession(fields.keys, mesh, fields.person)
  }
  if (fields.type !== 'admit') return
  const shown = fields.invitation ?? fields.recovery
  if (shown === undefined && fields.consent === undefined) return
  if (mesh === undefined) throw malformed('proves something to no mesh')
  if (shown !== undefined) await checkProof(shown.key, shown.proof, mesh, fields.certificate)
  if (fields.consent === undefined || entry.certificate === undefined) return
  const place = { mesh, key: shown?.key, certificate: fields.certificate }
  await checkConsent(entry.certificate.device, fields.consent, place)
}

/**
 * True when the device that an entry admits said itself that it comes: by its consent, or by
 * writing the entry. Whose consent does not fit the invitation never counts at all.
 */
export function isConsented({ fields, author, certificate }: LedgerEntry): boolean {
  if (fields.type === 'create') return true
  return fields.type === 'admit' && (fields.consent !== undefined || certificate?.device === author)
}

function malformed(what: string): MeshError {
  return new MeshError('malformed', `A ledger entry ${what}.`)
}

function withContext(body: Uint8Array): Uint8Array {
  const message = new Uint8Array(CONTEXT.byteLength + body.byteLength)
  message.set(CONTEXT)
  message.set(body, CONTEXT.byteLength)
  return message
}
