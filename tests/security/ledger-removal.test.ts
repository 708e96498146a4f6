import { beforeEach, describe, expect, test } from 'vitest'
import type { EntryHash } from '../../mesh/base/index.ts'
import {
  invitationIdOfKey,
  invitationKey,
  loadLedger,
  recoveryDraft,
  signEntry,
  type EntryFields,
  type LedgerEntry,
} from '../../mesh/identity/index.ts'
import { createRecoverySecret, recoveryKeys } from '../../mesh/seal/index.ts'
import {
  addDevice,
  addPerson,
  admitted,
  admittedWith,
  admitWith,
  createTestDevice,
  exchangeAll,
  foundMesh,
  invite,
  ledgerPorts,
  recovered,
  reopened,
  type TestDevice,
  type TestMember,
} from '../kit/ledger.ts'
import { createSeededRandom } from '../kit/random.ts'

// Who holds a device that was stolen writes with software of its own, links what it
// likes, and comes back when it wants. See docs/adr/0025-removal-holds.md.

const random = createSeededRandom('removal holds')

/** The first device of a person, stolen later, and two more of hers. */
let stolen: TestMember
let phone: TestMember
let tablet: TestMember
/** Of another person. */
let dave: TestMember

beforeEach(async () => {
  stolen = await foundMesh(await createTestDevice(random, 'laptop'), random)
  phone = await addDevice(stolen, await createTestDevice(random, 'phone'))
  tablet = await addDevice(stolen, await createTestDevice(random, 'tablet'))
  dave = await addPerson(stolen, await createTestDevice(random, 'dave'), 'Dave', 'member')
  await exchangeAll([stolen, phone, tablet, dave])
})

const write = (by: TestDevice, fields: EntryFields, parents: readonly EntryHash[]): Promise<LedgerEntry> =>
  signEntry(by.key, fields, { parents, at: by.clock.now(), mesh: stolen.ledger.mesh })

const rename = (by: TestMember, name: string): Promise<LedgerEntry> =>
  by.ledger.append({ type: 'rename', device: by.id, name })

const isIn = (seenBy: TestMember, device: TestDevice): boolean =>
  seenBy.ledger.state().devices.get(device.id)?.removedAt === null

/** What the thief wrote offline, seeing only what the device had when it was stolen. */
async function offline(...drafts: EntryFields[]): Promise<LedgerEntry[]> {
  let parents = stolen.ledger.heads()
  const made: LedgerEntry[] = []
  for (const draft of drafts) {
    const entry = await write(stolen, draft, parents)
    made.push(entry)
    parents = [entry.hash]
  }
  return made
}

async function everybodyHears(entries: readonly LedgerEntry[], others: readonly TestMember[]): Promise<void> {
  for (const member of others) await member.ledger.take(entries.map(({ bytes }) => bytes))
  await exchangeAll(others)
  for (const member of others) {
    expect(member.ledger.state()).toEqual(others[0]?.ledger.state())
    expect((await reopened(member)).ledger.state()).toEqual(member.ledger.state())
  }
}

describe('a stolen first device', () => {
  test('does not undo its removal, once a second device of the person went on from it', async () => {
    const theft = await offline(
      { type: 'revoke', device: phone.id },
      { type: 'revoke', device: tablet.id },
      { type: 'rename', device: stolen.id, name: 'mine now' },
    )
    await phone.ledger.append({ type: 'revoke', device: stolen.id })
    await exchangeAll([phone, tablet, dave])
    await rename(tablet, 'still here')
    await everybodyHears(theft, [dave, phone, tablet])
    expect([stolen, phone, tablet].map((device) => isIn(phone, device))).toEqual([false, true, true])
    expect(phone.ledger.state().devices.get(stolen.id)?.name).toBe('laptop')
  })

  test('gains nothing by devices of its own making', async () => {
    const made = [await createTestDevice(random, 'one'), await createTestDevice(random, 'two')]
    const theft = await offline(
      ...(await Promise.all(made.map((device) => admitted(stolen, device)))),
      { type: 'revoke', device: phone.id },
      { type: 'revoke', device: tablet.id },
    )
    const last = theft.at(-1)?.hash
    if (last === undefined) throw new TypeError('no theft')
    for (const device of made)
      theft.push(await write(device, { type: 'rename', device: device.id, name: 'a voice' }, [last]))
    await phone.ledger.append({ type: 'revoke', device: stolen.id })
    await exchangeAll([phone, tablet, dave])
    await rename(tablet, 'still here')
    await everybodyHears(theft, [dave, phone, tablet])
    expect([stolen, phone, tablet, ...made].map((device) => isIn(phone, device))).toEqual([
      false,
      true,
      true,
      false,
      false,
    ])
  })

  test('does not undo a removal by a device that came back by the recovery words', async () => {
    const keys = recoveryKeys(createRecoverySecret(random))
    await phone.ledger.append(recoveryDraft(keys, phone.ledger.mesh, phone.person()))
    await exchangeAll([stolen, phone, tablet, dave])
    const theft = await offline(
      { type: 'revoke', device: phone.id },
      { type: 'revoke', device: tablet.id },
      // the thief puts words of its own in the place of hers
      recoveryDraft(recoveryKeys(createRecoverySecret(random)), phone.ledger.mesh, phone.person()),
    )
    // all other devices are lost too: she comes back by the words alone
    const fresh = await createTestDevice(random, 'fresh')
    await dave.ledger.append(await recovered(dave.ledger.mesh, keys, fresh, phone.person()))
    const ledger = await loadLedger(ledgerPorts(fresh), dave.ledger.mesh)
    await ledger.take(dave.ledger.missingFor([]))
    await ledger.append({ type: 'revoke', device: stolen.id })
    await dave.ledger.take(ledger.missingFor(dave.ledger.heads()))
    await everybodyHears(theft, [dave, tablet])
    expect([stolen, fresh, phone, tablet].map((device) => isIn(dave, device))).toEqual([false, true, true, true])
  })

  test('of a person with two devices and no words still outweighs the younger one: so it is said', async () => {
    await phone.ledger.append({ type: 'revoke', device: tablet.id })
    await exchangeAll([stolen, phone, dave])
    const theft = await offline({ type: 'revoke', device: phone.id })
    await phone.ledger.append({ type: 'revoke', device: stolen.id })
    await everybodyHears(theft, [dave])
    expect([stolen, phone].map((device) => isIn(dave, device))).toEqual([true, false])
  })
})

describe('an invitation that was used', () => {
  const joinedBy = async (secret: Uint8Array, writer: TestMember): Promise<TestDevice> => {
    const device = await createTestDevice(random, 'honest')
    await admitWith(writer, secret, device)
    return device
  }

  /** A member who found the secret later writes that somebody else used it, long before. */
  const forged = async (secret: Uint8Array, by: TestMember, device: TestDevice): Promise<LedgerEntry> => {
    const key = invitationKey(secret)
    const invitation = by.ledger.state().invitations.get(invitationIdOfKey(key.publicKey))
    if (invitation === undefined) throw new TypeError('no invitation')
    return write(by, await admittedWith(by.ledger, secret, device), [invitation.entry])
  }

  test('is final: who writes a use at an earlier place brings nobody in and puts nobody out', async () => {
    for (let round = 0; round < 8; round++) {
      const secret = await invite(phone, random)
      await exchangeAll([stolen, phone, tablet, dave])
      // the honest use stands deeper than the forged one will
      await rename(tablet, `deeper ${String(round)}`)
      const honest = await joinedBy(secret, tablet)
      await exchangeAll([stolen, phone, tablet, dave])
      await rename(phone, `seen ${String(round)}`)
      await exchangeAll([stolen, phone, tablet, dave])
      const thief = await createTestDevice(random, 'thief')
      const lie = await forged(secret, dave, thief)
      await everybodyHears([lie], [stolen, phone, tablet, dave])
      expect([isIn(phone, honest), isIn(phone, thief)]).toEqual([true, false])
      expect(phone.ledger.state().ignored.get(lie.hash)).toBe('first-use-wins')
    }
  })

  test('is final also where the inviter was away, by what others went on from', async () => {
    const secret = await invite(phone, random)
    await exchangeAll([stolen, phone, tablet, dave])
    const carol = await addPerson(stolen, await createTestDevice(random, 'carol'), 'Carol', 'member')
    await exchangeAll([stolen, tablet, dave, carol])
    await rename(carol, 'deeper')
    const honest = await joinedBy(secret, carol)
    await exchangeAll([stolen, tablet, dave, carol])
    await rename(tablet, 'seen')
    await exchangeAll([stolen, tablet, dave, carol])
    const thief = await createTestDevice(random, 'thief')
    const lie = await forged(secret, dave, thief)
    await everybodyHears([lie], [stolen, tablet, dave, carol, phone])
    expect([isIn(tablet, honest), isIn(tablet, thief)]).toEqual([true, false])
  })
})
