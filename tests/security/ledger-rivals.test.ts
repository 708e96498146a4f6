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

/** Bob, let in as another owner; everybody goes on from that. */
async function bobComes(): Promise<TestMember> {
  const secret = await invite(alice, random, { name: 'Bob', role: 'owner' })
  const device = await createTestDevice(random, 'bob')
  await admitWith(alice, secret, device)
  const bob = await joinMesh(device, alice)
  await bob.ledger.append({ type: 'rename', person: bob.person(), name: 'Robert' })
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
