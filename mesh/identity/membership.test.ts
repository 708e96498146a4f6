import { expect, test } from 'vitest'
import { createVirtualClock, type VirtualClock } from '../../tests/kit/clock.ts'
import { createMemoryStore, type MemoryStore } from '../../tests/kit/memory-store.ts'
import { createSeededRandom } from '../../tests/kit/random.ts'
import { silentLogger } from '../base/index.ts'
import { loadDeviceKey, type DeviceKey } from './device-key.ts'
import { loadInvitations } from './invitations.ts'
import { loadMembership, type Membership } from './membership.ts'
import { joinProof } from './proof.ts'
import { openRoster, signRoster, type SignedRoster } from './roster.ts'

interface Persona {
  readonly key: DeviceKey
  readonly store: MemoryStore
  readonly membership: Membership
}

const clock: VirtualClock = createVirtualClock()
let seed = 1

async function persona(name: string, store: MemoryStore = createMemoryStore()): Promise<Persona> {
  const key = await loadDeviceKey(store, createSeededRandom(seed++))
  const membership = await loadMembership({ store, clock, log: silentLogger }, key, { name, kind: 'helper' })
  return { key, store, membership }
}

function ownList(one: Persona): SignedRoster {
  const [list] = one.membership.rosters()
  if (list === undefined) throw new DOMException('no list', 'NotFoundError')
  return list
}

const entry = (one: Persona, name: string) => ({
  id: one.key.id,
  name,
  kind: 'helper' as const,
  role: 'owner' as const,
  person: '',
})

test('a device starts alone, on its own list', async () => {
  const alice = await persona('Alice')
  expect(alice.membership.standing()).toBe('alone')
  expect(alice.membership.members().map((member) => member.id)).toEqual([alice.key.id])
})

test('who was admitted stays admitted over a restart, with the same key', async () => {
  const alice = await persona('Alice')
  const bob = await persona('Bob')
  await alice.membership.admit(entry(bob, 'Bob'))
  const again = await persona('Alice', alice.store)
  expect(again.key.id).toBe(alice.key.id)
  expect(again.membership.admitted(bob.key.id)?.name).toBe('Bob')
})

test('a list is only taken from an issuer that was joined', async () => {
  const [alice, bob, mallory] = [await persona('Alice'), await persona('Bob'), await persona('Mallory')]
  await mallory.membership.admit(entry(bob, 'Bob'))
  expect(await bob.membership.offer(ownList(mallory))).toBe(false)
  await alice.membership.admit(entry(bob, 'Bob'))
  await bob.membership.follow(ownList(alice))
  expect(bob.membership.standing()).toBe('member')
  expect(bob.membership.admitted(mallory.key.id)).toBeUndefined()
})

test('an older list never replaces a newer one', async () => {
  const [alice, bob, carol] = [await persona('Alice'), await persona('Bob'), await persona('Carol')]
  await alice.membership.admit(entry(bob, 'Bob'))
  await alice.membership.admit(entry(carol, 'Carol'))
  await bob.membership.follow(ownList(alice))
  const before = ownList(alice)
  await alice.membership.remove(carol.key.id)
  expect(await bob.membership.offer(ownList(alice))).toBe(true)
  expect(await bob.membership.offer(before)).toBe(false)
  expect(bob.membership.admitted(carol.key.id)).toBeUndefined()
  expect(bob.membership.wasRemoved(carol.key.id)).toBe(true)
})

test('a list with one changed byte, or signed by another, is refused', async () => {
  const [alice, mallory] = [await persona('Alice'), await persona('Mallory')]
  const list = ownList(alice)
  const forged = await signRoster(await openRoster(list), mallory.key)
  await expect(openRoster(forged)).rejects.toMatchObject({ code: 'integrity' })
  for (let index = 0; index < list.body.byteLength; index += 7) {
    const body = list.body.slice()
    body[index] = (body[index] ?? 0) ^ 1
    await expect(openRoster({ ...list, body })).rejects.toMatchObject({
      code: expect.stringMatching(/integrity|malformed/) as string,
    })
  }
})

test('a removed device knows from the signed list that it was removed', async () => {
  const [alice, bob] = [await persona('Alice'), await persona('Bob')]
  await alice.membership.admit(entry(bob, 'Bob'))
  await bob.membership.follow(ownList(alice))
  await alice.membership.remove(bob.key.id)
  await bob.membership.offer(ownList(alice))
  expect(bob.membership.standing()).toBe('removed')
})

test('two changes at once both stay', async () => {
  const [alice, bob, carol] = [await persona('Alice'), await persona('Bob'), await persona('Carol')]
  await Promise.all([alice.membership.admit(entry(bob, 'Bob')), alice.membership.admit(entry(carol, 'Carol'))])
  expect(alice.membership.members()).toHaveLength(3)
})

test('a list that cannot be stored is not acknowledged', async () => {
  const [alice, bob] = [await persona('Alice'), await persona('Bob')]
  alice.store.failWrites({ code: 'storage-full', atWrite: 1 })
  await expect(alice.membership.admit(entry(bob, 'Bob'))).rejects.toMatchObject({ code: 'storage-full' })
  expect(alice.membership.admitted(bob.key.id)).toBeUndefined()
})

test('an invitation admits one device, once, in time, and over a restart of the inviter', async () => {
  const [alice, bob, mallory] = [await persona('Alice'), await persona('Bob'), await persona('Mallory')]
  const ports = { store: alice.store, clock, random: createSeededRandom(99) }
  const invitations = await loadInvitations(ports, alice.key.id)
  const options = { person: '', role: 'owner' as const, confirmation: 'in-advance' as const, madeBy: alice.key.id }
  const made = await invitations.create(options)
  const proofOf = (one: Persona): Uint8Array => joinProof(made.secret, alice.key.id, one.key.id)
  const again = await loadInvitations(ports, alice.key.id)
  expect(() => again.check(made.id, proofOf(mallory), bob.key.id)).toThrow('not known here')
  expect(again.check(made.id, proofOf(bob), bob.key.id).id).toBe(made.id)
  await again.use(made.id, bob.key.id)
  expect(() => again.check(made.id, proofOf(mallory), mallory.key.id)).toThrow('already used')
  // the same device may try again: its answer may have been lost
  expect(again.check(made.id, proofOf(bob), bob.key.id).usedBy).toBe(bob.key.id)
  const late = await again.create(options)
  clock.advance(10 * 60_000 + 1)
  expect(() => again.check(late.id, joinProof(late.secret, alice.key.id, bob.key.id), bob.key.id)).toThrow('expired')
  expect(again.open()).toEqual([])
})

test('two joiners in the same moment cannot both use one invitation', async () => {
  const [alice, bob, mallory] = [await persona('Alice'), await persona('Bob'), await persona('Mallory')]
  const invitations = await loadInvitations({ store: alice.store, clock, random: createSeededRandom(5) }, alice.key.id)
  const made = await invitations.create({ person: '', role: 'owner', confirmation: 'in-advance', madeBy: alice.key.id })
  const outcomes = await Promise.allSettled([
    invitations.use(made.id, bob.key.id),
    invitations.use(made.id, mallory.key.id),
  ])
  expect(outcomes.map((outcome) => outcome.status)).toEqual(['fulfilled', 'rejected'])
})
