import { beforeEach, describe, expect, test } from 'vitest'
import type { EntryHash } from '../../mesh/base/index.ts'
import {
  admissionProof,
  invitationKey,
  inviteDraft,
  signEntry,
  type EntryFields,
  type LedgerEntry,
} from '../../mesh/identity/index.ts'
import {
  addDevice,
  addPerson,
  admitWith,
  admitted,
  createTestDevice,
  exchangeAll,
  foundEarlierMesh,
  foundMesh,
  invite,
  joinMesh,
  type TestDevice,
  type TestMember,
} from '../kit/ledger.ts'
import { createSeededRandom } from '../kit/random.ts'

// A member who writes down somebody else's device as a device of its own.

const random = createSeededRandom('the ledger and rivals')

let alice: TestMember
let tablet: TestMember
let mallory: TestMember

async function begin(found: typeof foundMesh): Promise<void> {
  alice = await found(await createTestDevice(random, 'alice'), random)
  tablet = await addDevice(alice, await createTestDevice(random, 'tablet'))
  mallory = await addPerson(alice, await createTestDevice(random, 'mallory'), 'Mallory', 'member')
  await exchangeAll([alice, tablet, mallory])
}

const write = (by: TestDevice, fields: EntryFields, parents: readonly EntryHash[]) =>
  signEntry(by.key, fields, { parents, at: by.clock.now(), mesh: alice.ledger.mesh })

/** Bob, let in as another owner; everybody goes on from that, and where he writes nothing the others do. */
async function bobComes(options: { readonly isSilent?: boolean } = {}): Promise<TestMember> {
  const secret = await invite(alice, random, { name: 'Bob', role: 'owner' })
  const device = await createTestDevice(random, 'bob')
  await admitWith(alice, secret, device)
  const bob = await joinMesh(device, alice)
  if (options.isSilent !== true) await bob.ledger.append({ type: 'rename', person: bob.person(), name: 'Robert' })
  await exchangeAll([alice, tablet, mallory, bob])
  await tablet.ledger.append({ type: 'rename', device: tablet.id, name: 'Tablet' })
  await exchangeAll([alice, tablet, mallory, bob])
  return bob
}

/** Mallory: some devices of its own, an invitation, and somebody's certificate, all as if it had been long ago. */
async function stealing(victim: TestMember, before: readonly EntryHash[], ghostCount: number): Promise<Uint8Array[]> {
  const forged: LedgerEntry[] = []
  let heads = before
  const put = async (by: TestDevice, fields: EntryFields): Promise<void> => {
    const entry = await write(by, fields, heads)
    forged.push(entry)
    heads = [entry.hash]
  }
  const person = mallory.person()
  const ghosts: TestDevice[] = []
  for (let index = 0; index < ghostCount; index++) {
    const ghost = await createTestDevice(random, `ghost ${String(index)}`)
    ghosts.push(ghost)
    await put(mallory, await admitted(mallory, ghost))
  }
  const own = random.bytes(16)
  const terms = { person, role: 'member', confirmation: 'in-advance', now: mallory.clock.now() } as const
  await put(mallory, inviteDraft(own, mallory.id, { ...terms, lifetimeMs: 600_000 }))
  const { certificate } = victim
  const key = invitationKey(own)
  const proof = admissionProof(key.privateKey, alice.ledger.mesh, certificate)
  await put(mallory, { type: 'admit', certificate, person, invitation: { key: key.publicKey, proof } })
  for (const ghost of ghosts) await put(ghost, { type: 'rename', device: ghost.id, name: 'seen' })
  await put(mallory, { type: 'revoke', device: victim.id })
  return forged.map(({ bytes }) => bytes)
}

test('nobody who found the secret of a used invitation puts out who came, by publishing it as their own', async () => {
  await begin(foundEarlierMesh)
  const before = mallory.ledger.heads()
  const secret = await invite(alice, random, { name: 'Bob', role: 'member' })
  await exchangeAll([alice, tablet, mallory])
  const device = await createTestDevice(random, 'bob')
  await tablet.ledger.append({ type: 'rename', device: tablet.id, name: 'deeper' })
  await admitWith(tablet, secret, device)
  await exchangeAll([alice, tablet])
  await alice.ledger.append({ type: 'rename', device: alice.id, name: 'seen' })
  // Mallory, with devices of its own making, at a place where nobody had published it yet
  const person = mallory.person()
  let heads = before
  const forged: LedgerEntry[] = []
  const put = async (by: TestDevice, fields: EntryFields): Promise<void> => {
    const entry = await write(by, fields, heads)
    forged.push(entry)
    heads = [entry.hash]
  }
  const ghosts: TestDevice[] = []
  for (let index = 0; index < 4; index++) {
    const ghost = await createTestDevice(random, `ghost ${String(index)}`)
    ghosts.push(ghost)
    await put(mallory, { type: 'admit', certificate: ghost.certificate, person })
  }
  const terms = { person, role: 'member', confirmation: 'in-advance', now: 0, lifetimeMs: 600_000 } as const
  await put(mallory, inviteDraft(secret, mallory.id, terms))
  const key = invitationKey(secret)
  const { certificate, id } = await createTestDevice(random, 'thief')
  const proof = admissionProof(key.privateKey, alice.ledger.mesh, certificate)
  await put(mallory, { type: 'admit', certificate, person, invitation: { key: key.publicKey, proof } })
  for (const ghost of ghosts) await put(ghost, { type: 'rename', device: ghost.id, name: 'a voice' })
  await alice.ledger.take(forged.map(({ bytes }) => bytes))
  const { devices } = alice.ledger.state()
  expect([device.id, id].map((one) => devices.get(one)?.removedAt)).toEqual([null, undefined])
})

describe.each([
  ['in a mesh of this version', foundMesh],
  ['in a mesh that began earlier', foundEarlierMesh],
] as const)('a member cannot make somebody’s device its own, %s', (_mesh, found) => {
  beforeEach(() => begin(found))

  test('that was let in by an owner’s invitation, by an invitation of its own at an earlier place', async () => {
    const before = mallory.ledger.heads()
    const bob = await bobComes()
    const person = bob.person()
    await alice.ledger.take(await stealing(bob, before, 4))
    const state = alice.ledger.state()
    expect(state.devices.get(bob.id)).toMatchObject({ person, removedAt: null })
    expect(state.people.get(person)?.role).toBe('owner')
  })

  test('that wrote nothing yet, by devices of its own making that go on from its claim', async () => {
    const before = mallory.ledger.heads()
    const bob = await bobComes({ isSilent: true })
    const person = bob.person()
    await alice.ledger.take(await stealing(bob, before, 4))
    expect(alice.ledger.state().devices.get(bob.id)).toMatchObject({ person, removedAt: null })
  })

  test('that wrote nothing yet, by devices that it had before', async () => {
    const dave = await addPerson(alice, await createTestDevice(random, 'dave'), 'Dave', 'member')
    const others: TestMember[] = []
    for (const name of ['one', 'two', 'three']) {
      await exchangeAll([alice, mallory, ...others])
      others.push(await addDevice(mallory, await createTestDevice(random, name)))
    }
    await exchangeAll([alice, tablet, mallory, dave, ...others])
    const before = mallory.ledger.heads()
    const bob = await bobComes({ isSilent: true })
    const person = bob.person()
    await exchangeAll([alice, dave])
    await dave.ledger.append({ type: 'rename', device: dave.id, name: 'Dave’s' })
    await exchangeAll([alice, dave])
    const forged = await stealing(bob, before, 0)
    await alice.ledger.take(forged)
    const claim = alice.ledger
      .entries()
      .find(({ author, fields }) => author === mallory.id && fields.type === 'admit' && fields.invitation !== undefined)
    // in a mesh of this version nobody keeps what the device did not agree to
    const places = claim === undefined ? [] : [claim.hash]
    for (const device of places.length === 0 ? [] : others)
      await alice.ledger.take([
        (await write(device, { type: 'rename', device: device.id, name: 'seen' }, places)).bytes,
      ])
    expect(alice.ledger.state().devices.get(bob.id)).toMatchObject({ person, removedAt: null })
  })

  test('after it was removed itself, by what it says it wrote before', async () => {
    const before = mallory.ledger.heads()
    const bob = await bobComes()
    const person = bob.person()
    const forged = await stealing(bob, before, 4)
    await alice.ledger.append({ type: 'revoke', person: mallory.person() })
    await exchangeAll([alice, tablet, bob])
    await alice.ledger.take(forged)
    const state = alice.ledger.state()
    expect(state.devices.get(bob.id)).toMatchObject({ person, removedAt: null })
  })
})
