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
const MESH_BYTES = 32

// one letter a field, ids and addresses as bytes: a link has to fit a QR code that a
// phone reads at arm's length
const payload = z.object({
  i: bytes(64),
  s: exactBytes(SECRET_BYTES),
  a: list(bytes(256), LINK_MAX_ADDRESSES),
  x: whole(),
  n: text(NAME_MAX_LENGTH),
  p: text(NAME_MAX_LENGTH),
  c: z.enum(['a', 'p']),
  m: z.optional(exactBytes(MESH_BYTES)),
  r: z.optional(z.enum(['o', 'm', 'h', 'g'])),
})

const LETTERS = { owner: 'o', member: 'm', 'helper-only': 'h', guest: 'g' } as const satisfies Record<Role, string>

/** What an invitation link says. The secret is what admits: it stays in the fragment, which no server is sent. */
export interface InvitationLink {
  readonly inviter: DeviceId
  readonly inviterName: string
  readonly secret: Uint8Array
  /** Multiaddrs without the peer id, best first. */
  readonly addresses: readonly string[]
  /** ms since 1970 */
  readonly expiresAt: number
  /** Empty: another device of the same person. */
  readonly person: string
  readonly confirmation: 'in-advance' | 'pictures'
  /** The mesh it leads into: whose ledger the joiner asks for, and takes from nobody else. */
  readonly mesh?: MeshId | undefined
  /** What the invited person becomes; a further device of a person has that person's role. */
  readonly role?: Role | undefined
}

/** The fragment of a link, without `#`. */
export function formatInvitation(link: InvitationLink): string {
  return (
    PREFIX +
    toBase64url(
      encode({
        i: peerIdFromString(link.inviter).toMultihash().bytes,
        s: link.secret,
        a: link.addresses.slice(0, LINK_MAX_ADDRESSES).map((address) => multiaddr(address).bytes),
        x: link.expiresAt,
        n: link.inviterName,
        p: link.person,
        c: link.confirmation === 'pictures' ? 'p' : 'a',
        m: link.mesh === undefined ? undefined : fromHex(link.mesh),
        r: link.role === undefined ? undefined : LETTERS[link.role],
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
    secret: fields.s,
    expiresAt: fields.x,
    person: fields.p,
    confirmation: fields.c === 'p' ? 'pictures' : 'in-advance',
    ...(fields.m === undefined ? {} : { mesh: asId<MeshId>(toHex(fields.m)) }),
    ...(fields.r === undefined ? {} : { role: roleOf(fields.r) }),
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

function roleOf(letter: (typeof LETTERS)[Role]): Role {
  return ROLES.find((role) => LETTERS[role] === letter) ?? 'guest'
}

function damaged(cause: unknown): MeshError {
  return new MeshError(
    'malformed',
    'This invitation link is damaged. Copy the whole link once more, with everything behind the #.',
    { cause, fault: 'user' },
  )
}
