import { expect, test } from 'vitest'
import { createVirtualClock } from '../../tests/kit/clock.ts'
import { createMemoryStore } from '../../tests/kit/memory-store.ts'
import { createSeededRandom } from '../../tests/kit/random.ts'
import { silentLogger } from '../base/index.ts'
import { loadDeviceKey, loadInvitations, loadMembership, type DeviceKey, type Membership } from '../identity/index.ts'
import { createAdmissions } from './admission.ts'
import { createListKeeper } from './list-keeper.ts'
import type { ChangeList } from './protocols/membership/membership.ts'

const clock = createVirtualClock()
const signal = new AbortController().signal

interface Persona {
  readonly key: DeviceKey
  readonly membership: Membership
  readonly change: ChangeList
}

async function persona(seed: number): Promise<Persona> {
  const store = createMemoryStore()
  const random = createSeededRandom(seed)
  const key = await loadDeviceKey(store, random)
  const name = `Device ${String(seed)}`
  const membership = await loadMembership({ store, clock, log: silentLogger }, key, { name, kind: 'helper' })
  const invitations = await loadInvitations({ store, clock, random }, key.id)
  const ports = { self: key.id, membership, invitations, random, log: silentLogger }
  const admissions = createAdmissions({ ...ports, spare: () => undefined })
  const change = createListKeeper({ ...ports, admissions, addresses: () => [], linkTo: (fragment) => `#${fragment}` })
  return { key, membership, change }
}

test('an owner on another list this device follows has no rights on its own list', async () => {
  const [alice, bob, carol] = [await persona(1), await persona(2), await persona(3)]
  const entry = (one: Persona, person: string, role: 'owner' | 'member') => ({
    id: one.key.id,
    name: 'x',
    kind: 'helper' as const,
    role,
    person,
  })
  // Bob is a guest person on Alice's list, where Carol is an owner; Bob keeps a list of his own
  await alice.membership.admit(entry(bob, 'Bob', 'member'))
  await alice.membership.admit(entry(carol, '', 'owner'))
  const [list] = alice.membership.rosters()
  if (list !== undefined) await bob.membership.follow(list)
  expect(bob.membership.admitted(carol.key.id)?.role).toBe('owner')
  for (const wanted of [
    { type: 'invite', person: '', confirmation: 'in-advance' },
    { type: 'rename', device: bob.key.id, name: 'Taken' },
    { type: 'remove', device: alice.key.id },
  ] as const) {
    await expect(bob.change(carol.key.id, wanted, { signal })).rejects.toMatchObject({ code: 'unauthorized' })
  }
  expect((await alice.change(carol.key.id, { type: 'rename', device: bob.key.id, name: 'Bob' }, { signal })).type).toBe(
    'done',
  )
})

test('nobody removes the keeper of a list from it', async () => {
  const alice = await persona(4)
  await expect(alice.change(alice.key.id, { type: 'remove', device: alice.key.id }, { signal })).rejects.toMatchObject({
    code: 'usage',
  })
})

test('a name without a visible character makes no invitation, least of all one with the rights of an owner', async () => {
  const alice = await persona(5)
  for (const person of [' ', '\u202e', '\u200b\u2066', '\n']) {
    await expect(
      alice.change(alice.key.id, { type: 'invite', person, confirmation: 'in-advance' }, { signal }),
    ).rejects.toMatchObject({ code: 'usage' })
  }
})
