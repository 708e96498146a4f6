import { describe, expect, test } from 'vitest'
import { admitWith, createTestDevice, exchange, foundMesh, addPerson, invite } from '../../../tests/kit/ledger.ts'
import { createSeededRandom } from '../../../tests/kit/random.ts'
import { checkInvitation, EXPIRY_SLACK_MS, isOver } from './invitation.ts'
import { admissionProof, invitationIdOfKey, invitationKey } from './proofs.ts'

const random = createSeededRandom('invitation')
const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS

async function shown() {
  const alice = await foundMesh(await createTestDevice(random, 'alice'), random)
  const bob = await addPerson(alice, await createTestDevice(random, 'bob'), 'Bob', 'member')
  const secret = await invite(alice, random, { name: 'Dora' })
  const key = invitationKey(secret)
  const dora = await createTestDevice(random, 'dora')
  const proof = admissionProof(key.privateKey, alice.ledger.mesh, dora.certificate)
  await exchange(alice, bob)
  return { alice, bob, secret, id: invitationIdOfKey(key.publicKey), proof, dora }
}

describe('an invitation', () => {
  test('admits the device that proves its secret, and its name says nothing of the secret', async () => {
    const { alice, id, proof, dora } = await shown()
    const now = alice.clock.now()
    expect(id).toMatch(/^[0-9a-f]{32}$/)
    const found = await checkInvitation(alice.ledger.state(), id, proof, dora.certificate, { now, seenAt: now })
    expect(found).toMatchObject({ id, personName: 'Dora', role: 'member', state: 'open' })
  })

  test('is unknown to a wrong proof as to a wrong name', async () => {
    const { alice, bob, id, proof, dora } = await shown()
    const time = { now: alice.clock.now(), seenAt: alice.clock.now() }
    const state = alice.ledger.state()
    for (const [name, shownProof, certificate] of [
      ['0'.repeat(32) as typeof id, proof, dora.certificate],
      [id, random.bytes(64), dora.certificate],
      [id, proof, bob.certificate],
    ] as const)
      await expect(checkInvitation(state, name, shownProof, certificate, time)).rejects.toMatchObject({
        code: 'invitation-unknown',
      })
  })

  test('is used up for others after its use, and taken back for all', async () => {
    const { alice, secret, id, proof, dora } = await shown()
    const time = { now: alice.clock.now(), seenAt: alice.clock.now() }
    await admitWith(alice, secret, dora)
    const eve = await createTestDevice(random, 'eve')
    const proofOfEve = admissionProof(invitationKey(secret).privateKey, alice.ledger.mesh, eve.certificate)
    await expect(checkInvitation(alice.ledger.state(), id, proofOfEve, eve.certificate, time)).rejects.toMatchObject({
      code: 'invitation-used',
    })
    // the same device asks again: its answer was lost
    await checkInvitation(alice.ledger.state(), id, proof, dora.certificate, time)

    const other = await shown()
    await other.alice.ledger.append({ type: 'invite-revoked', id: other.id })
    await expect(
      checkInvitation(other.alice.ledger.state(), other.id, other.proof, other.dora.certificate, time),
    ).rejects.toMatchObject({ code: 'invitation-used' })
  })

  test('does not bring back a device that was removed', async () => {
    const { alice, secret, id, proof, dora } = await shown()
    const time = { now: alice.clock.now(), seenAt: alice.clock.now() }
    await admitWith(alice, secret, dora)
    await alice.ledger.append({ type: 'revoke', device: dora.id })
    await expect(checkInvitation(alice.ledger.state(), id, proof, dora.certificate, time)).rejects.toMatchObject({
      code: 'invitation-used',
    })
    await expect(admitWith(alice, secret, dora)).rejects.toMatchObject({ code: 'conflict' })
  })

  test('lives its time from when it was first seen here, though the maker’s clock is a day wrong', async () => {
    for (const wrongMs of [-DAY_MS, 0, DAY_MS]) {
      const here = 1_800_000_000_000
      const invitation = { lifetimeMs: HOUR_MS, expiresAt: here + wrongMs + HOUR_MS }
      expect(isOver(invitation, { now: here + HOUR_MS - 1, seenAt: here })).toBe(false)
      expect(isOver(invitation, { now: here + HOUR_MS, seenAt: here })).toBe(true)
    }
    const { alice, id, proof, dora } = await shown()
    const seenAt = alice.clock.now()
    await expect(
      checkInvitation(alice.ledger.state(), id, proof, dora.certificate, { now: seenAt + 600_000, seenAt }),
    ).rejects.toMatchObject({ code: 'invitation-expired' })
  })

  test('is over a day after its stated end, whenever it was seen', () => {
    const invitation = { lifetimeMs: HOUR_MS, expiresAt: 1_000_000 }
    const now = invitation.expiresAt + EXPIRY_SLACK_MS + 1
    expect(isOver(invitation, { now, seenAt: now })).toBe(true)
    expect(isOver(invitation, { now: now - 1, seenAt: now - 1 })).toBe(false)
    expect(isOver(invitation, { now: invitation.expiresAt + 1, seenAt: undefined })).toBe(true)
  })
})
