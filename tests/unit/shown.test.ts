import { expect, test } from 'vitest'
import type { DeviceId, InvitationId } from '../../mesh/base/index.ts'
import {
  checkShown,
  invitationIdOfKey,
  invitationKey,
  recoveryDraft,
  type InvitationLink,
  type Shown,
} from '../../mesh/identity/index.ts'
import { createRecoverySecret, recoveryKeys } from '../../mesh/seal/index.ts'
import { addPerson, admitted, admitWith, createTestDevice, foundMesh, invite, recovered } from '../kit/ledger.ts'
import { createSeededRandom } from '../kit/random.ts'

// What a joiner checks for itself: also a ledger that whoever answered made up.

const random = createSeededRandom('what was shown')

async function world() {
  const alice = await foundMesh(await createTestDevice(random, 'alice'), random)
  const bob = await addPerson(alice, await createTestDevice(random, 'bob'), 'Bob', 'owner')
  const dora = await createTestDevice(random, 'dora')
  const linkOf = (secret: Uint8Array, person: string, role: InvitationLink['role']): InvitationLink => ({
    ...{ inviter: alice.id, inviterName: 'alice', mesh: alice.ledger.mesh, secret, addresses: [] },
    ...{ expiresAt: 0, person, role, confirmation: 'in-advance' },
  })
  const check = (shown: Shown) => (): void => {
    checkShown(alice.ledger.state(), dora.id, shown)
  }
  return { alice, bob, dora, linkOf, check }
}

test('a link is followed to just what it says', async () => {
  const { alice, bob, dora, linkOf, check } = await world()
  const secret = await invite(alice, random, { name: 'Dora' })
  const other = await invite(alice, random, { name: 'Dora' })
  const link = linkOf(secret, 'Dora', 'member')
  expect(check({ by: 'link', link })).toThrow('does not name this device')
  await admitWith(alice, secret, dora)
  expect(check({ by: 'link', link })).not.toThrow()
  const lies: [Partial<InvitationLink>, string][] = [
    [{ secret: other }, 'by something else than the invitation'],
    [{ inviter: bob.id }, 'made by another device'],
    [{ person: '' }, 'of another person'],
    [{ person: 'Doris' }, 'of another person'],
    [{ role: 'guest' }, 'other rights'],
    [{ confirmation: 'pictures' }, 'confirmed in another way'],
  ]
  for (const [lie, sentence] of lies) expect(check({ by: 'link', link: { ...link, ...lie } })).toThrow(sentence)
  await alice.ledger.append({ type: 'revoke', device: dora.id })
  expect(check({ by: 'link', link })).toThrow('does not name this device')
})

test('a link for a further device is followed to the inviter’s person alone', async () => {
  const { alice, dora, linkOf, check } = await world()
  const secret = await invite(alice, random, { role: 'owner' })
  await admitWith(alice, secret, dora)
  const link = linkOf(secret, '', 'owner')
  expect(check({ by: 'link', link })).not.toThrow()
  expect(check({ by: 'link', link: { ...link, person: 'Alice' } })).toThrow('of another person')
})

test('words, recovery words and lists of version 0.1 are followed to whose they are', async () => {
  const { alice, bob, dora, check } = await world()
  const secret = await invite(alice, random, { name: 'Dora' })
  const invitation: InvitationId = invitationIdOfKey(invitationKey(secret).publicKey)
  await admitWith(alice, secret, dora)
  expect(check({ by: 'words', invitation })).toThrow('of another person')
  expect(check({ by: 'words', invitation: '0'.repeat(32) as InvitationId })).toThrow('did not know its words')
  expect(check({ by: 'list', keeper: bob.id })).toThrow('by another device')
  expect(check({ by: 'list', keeper: '0' as DeviceId })).toThrow('by another device')
  expect(check({ by: 'list', keeper: alice.id })).toThrow('who never had it')
  const words = recoveryKeys(createRecoverySecret(random))
  expect(check({ by: 'recovery', key: words.sign.publicKey })).toThrow('not the one these words were made in')
  await alice.ledger.append({ type: 'revoke', device: dora.id })
  await alice.ledger.append(recoveryDraft(words, alice.ledger.mesh, alice.person()))
  await alice.ledger.append(await recovered(alice.ledger.mesh, words, dora, alice.person()))
  expect(check({ by: 'recovery', key: words.sign.publicKey })).not.toThrow()
  expect(check({ by: 'recovery', key: random.bytes(32) })).toThrow('not the one these words were made in')
  const listed = await createTestDevice(random, 'listed')
  await alice.ledger.append(await admitted(alice, listed))
  expect(() => {
    checkShown(alice.ledger.state(), listed.id, { by: 'list', keeper: alice.id })
  }).not.toThrow()
})
