import { peerIdFromMultihash, peerIdFromString } from '@libp2p/peer-id'
import { multiaddr } from '@multiformats/multiaddr'
import * as Digest from 'multiformats/hashes/digest'
import * as z from 'zod/mini'
import { asId, MeshError, type DeviceId, type MeshId } from '../base/index.ts'
import {
  bytes,
  decode,
  encode,
  exactBytes,
  fromBase64url,
  fromHex,
  list,
  text,
  toBase64url,
  toHex,
  whole,
} from '../wire/index.ts'
import { NAME_MAX_LENGTH } from './names.ts'
import { SECRET_BYTES } from './proof.ts'
import { ROLES, type Role } from './roles.ts'

/** Most addresses a link carries. */
export const LINK_MAX_ADDRESSES = 6
/** Longest link that is looked at, in characters. */
export const LINK_MAX_LENGTH = 4096

const PREFIX = 'join='

// one letter a field, ids and addresses as bytes: a link has to fit a QR code that a
// phone reads at arm's length
const payload = z.object({
  i: bytes(64),
  m: exactBytes(32),
  s: exactBytes(SECRET_BYTES),
  a: list(bytes(256), LINK_MAX_ADDRESSES),
  x: whole(),
  n: text(NAME_MAX_LENGTH),
  p: text(NAME_MAX_LENGTH),
  c: z.enum(['a', 'p']),
  r: z.enum(['o', 'm', 'h', 'g']),
})

const ROLE_LETTERS = { owner: 'o', member: 'm', 'helper-only': 'h', guest: 'g' } as const satisfies Record<Role, string>

/** What an invitation link says. The secret is what admits: it stays in the fragment, which no server is sent. */
export interface InvitationLink {
  readonly inviter: DeviceId
  readonly inviterName: string
  readonly mesh: MeshId
  readonly secret: Uint8Array
  /** Multiaddrs, best first; those without a peer id are the inviter's, others of devices that admit in its place. */
  readonly addresses: readonly string[]
  /** ms since 1970 */
  readonly expiresAt: number
  /** Empty: another device of the same person. */
  readonly person: string
  readonly role: Role
  readonly confirmation: 'in-advance' | 'pictures'
}

/** The fragment of a link, without `#`. */
export function formatInvitation(link: InvitationLink): string {
  return (
    PREFIX +
    toBase64url(
      encode({
        i: peerIdFromString(link.inviter).toMultihash().bytes,
        m: fromHex(link.mesh),
        s: link.secret,
        a: link.addresses.slice(0, LINK_MAX_ADDRESSES).map((address) => multiaddr(address).bytes),
        x: link.expiresAt,
        n: link.inviterName,
        p: link.person,
        c: link.confirmation === 'pictures' ? 'p' : 'a',
        r: ROLE_LETTERS[link.role],
      }),
    )
  )
}

/**
 * Reads a whole link or its fragment. Whether it has expired is not looked at.
 * @throws MeshError `malformed`, `too-large`
 */
export function parseInvitation(linkOrFragment: string): InvitationLink {
  const trimmed = linkOrFragment.trim()
  if (trimmed.length > LINK_MAX_LENGTH)
    throw new MeshError('too-large', 'This is longer than any invitation link.', { fault: 'user' })
  const fragment = trimmed.slice(trimmed.indexOf('#') + 1)
  if (!fragment.startsWith(PREFIX)) {
    throw new MeshError(
      'malformed',
      'This is not an invitation link. Copy the whole link, with everything behind the #.',
      { fault: 'user' },
    )
  }
  const fields = readFields(fragment.slice(PREFIX.length))
  return {
    ...readBinary(fields),
    inviterName: fields.n,
    mesh: asId<MeshId>(toHex(fields.m)),
    secret: fields.s,
    expiresAt: fields.x,
    person: fields.p,
    role: ROLES.find((role) => ROLE_LETTERS[role] === fields.r) ?? 'guest',
    confirmation: fields.c === 'p' ? 'pictures' : 'in-advance',
  }
}

function readFields(text: string): z.output<typeof payload> {
  try {
    return decode(fromBase64url(text), payload, { maxBytes: LINK_MAX_LENGTH, what: 'The invitation' })
  } catch (error) {
    throw damaged(error)
  }
}

function readBinary(fields: { i: Uint8Array; a: Uint8Array[] }): { inviter: DeviceId; addresses: string[] } {
  try {
    const peer = peerIdFromMultihash(Digest.decode(fields.i))
    if (peer.type !== 'Ed25519')
      throw new MeshError('malformed', 'The invitation names an inviter that is no device.', { fault: 'user' })
    return { inviter: peer.toString() as DeviceId, addresses: fields.a.map((address) => multiaddr(address).toString()) }
  } catch (error) {
    throw damaged(error)
  }
}

function damaged(cause: unknown): MeshError {
  return new MeshError(
    'malformed',
    'This invitation link is damaged. Copy the whole link once more, with everything behind the #.',
    { cause, fault: 'user' },
  )
}
