import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { isMeshError, type DeviceId, type MeshId } from '../base/index.ts'
import { ROLES } from './roles.ts'
import { formatInvitation, parseInvitation, type InvitationLink } from './invitation-link.ts'

const ALICE = '12D3KooWGC6TvWhfapngX6wvJHMYvKpDMXPb3ZnCZ6dMoaMtimQ5' as DeviceId
const CERTHASH = 'uEiDDq4_xNyDorZBH3TlGazyJdOWSwvo4PUo5YHFMrvDE8g'

const link: InvitationLink = {
  inviter: ALICE,
  inviterName: 'Alice’s desktop',
  secret: new Uint8Array(16).fill(7),
  addresses: ['/ip4/127.0.0.1/tcp/4718/ws', `/ip4/192.0.2.7/udp/4720/webrtc-direct/certhash/${CERTHASH}`],
  expiresAt: 1_800_000_000_000,
  person: '',
  confirmation: 'in-advance',
  mesh: 'a7'.repeat(32) as MeshId,
  role: 'member',
}

test('an invitation reads back as it was made, as a whole link and as a fragment', () => {
  const fragment = formatInvitation(link)
  expect(parseInvitation(fragment)).toEqual(link)
  expect(parseInvitation(`http://127.0.0.1:4717/chat?x=1#${fragment}`)).toEqual(link)
  expect(parseInvitation(` #${fragment}\n`)).toEqual(link)
})

test('a link without a mesh or a role, as earlier versions made them, is read as it is', () => {
  const { mesh: _mesh, role: _role, ...earlier } = link
  expect(parseInvitation(formatInvitation(earlier))).toEqual(earlier)
})

test('every role reads back as itself', () => {
  for (const role of ROLES) expect(parseInvitation(formatInvitation({ ...link, role })).role).toBe(role)
})

test('a link with two addresses fits a QR code that a phone reads at arm’s length', () => {
  expect(`http://127.0.0.1:4717/#${formatInvitation(link)}`.length).toBeLessThanOrEqual(300)
})

test('whatever is pasted, it is read or refused with a sentence, and never anything else', () => {
  const fragment = formatInvitation(link)
  const mutated = fc
    .tuple(fc.nat(fragment.length - 1), fc.string({ minLength: 1, maxLength: 3 }))
    .map(([at, text]) => fragment.slice(0, at) + text + fragment.slice(at + text.length))
  const base64 = fc.base64String({ maxLength: 400 }).map((text) => `join=${text.replaceAll('=', '')}`)
  fc.assert(
    fc.property(fc.oneof(fc.string({ maxLength: 5000 }), mutated, base64), (text) => {
      try {
        parseInvitation(text)
      } catch (error) {
        expect(isMeshError(error, 'malformed') || isMeshError(error, 'too-large')).toBe(true)
      }
    }),
    { numRuns: 2_000 },
  )
})
