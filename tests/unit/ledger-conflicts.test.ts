import { beforeAll, describe, expect, test } from 'vitest'
import type { EntryHash } from '../../mesh/base/index.ts'
import {
  admitByRecovery,
  loadLedger,
  recoveryDraft,
  recoveryProof,
  RULES,
  signCertificate,
  signEntry,
  type EntryFields,
  type LedgerEntry,
  type LedgerState,
  type RuleName,
} from '../../mesh/identity/index.ts'
import { createRecoverySecret, recoveryKeys, type RecoveryKeys } from '../../mesh/seal/index.ts'
import {
  addDevice,
  addPerson,
  admitWith,
  createTestDevice,
  exchangeAll,
  foundMesh,
  invite,
  ledgerPorts,
  type TestDevice,
  type TestMember,
} from '../kit/ledger.ts'
import { createSeededRandom } from '../kit/random.ts'

const random = createSeededRandom('conflicts')

interface World {
  /** The most senior. */
  readonly alice: TestMember
  readonly bob: TestMember
  /** The most junior of three owners. */
  readonly carol: TestMember
  /** A member. */
  readonly dave: TestMember
  readonly eve: TestDevice
  readonly frank: TestDevice
}

let world: World

async function freshWorld(): Promise<World> {
  const alice = await foundMesh(await createTestDevice(random, 'alice'), random)
  const bob = await addPerson(alice, await createTestDevice(random, 'bob'), 'Bob', 'owner')
  const carol = await addPerson(alice, await createTestDevice(random, 'carol'), 'Carol', 'owner')
  const dave = await addPerson(alice, await createTestDevice(random, 'dave'), 'Dave', 'member')
  await exchangeAll([alice, bob, carol, dave])
  return {
    alice,
    bob,
    carol,
    dave,
    eve: await createTestDevice(random, 'eve'),
    frank: await createTestDevice(random, 'frank'),
  }
}

/** All orders of a few things. */
function ordersOf<Item>(items: readonly Item[]): Item[][] {
  if (items.length < 2) return [[...items]]
  return items.flatMap((item, index) =>
    ordersOf([...items.slice(0, index), ...items.slice(index + 1)]).map((rest) => [item, ...rest]),
  )
}

/** The state after everything, delivered in every order: the same each time. */
async function settled(entries: readonly LedgerEntry[]): Promise<LedgerState> {
  const members = [world.alice, world.bob, world.carol, world.dave]
  const added = new Set(entries.map(({ hash }) => hash))
  const before = world.alice.ledger.missingFor([]).slice(0)
  await exchangeAll(members)
  const final = world.alice.ledger.state()
  for (const member of members) expect(member.ledger.state()).toEqual(final)
  const base = world.alice.ledger
    .entries()
    .filter(({ hash }) => !added.has(hash))
    .map(({ bytes }) => bytes)
  expect(before.length).toBeGreaterThan(0)
  for (const order of ordersOf(entries)) {
    const ledger = await loadLedger(ledgerPorts(await createTestDevice(random, 'reader')), world.alice.ledger.mesh)
    await ledger.take(base)
    for (const { bytes } of order) await ledger.take([bytes])
    expect(ledger.state()).toEqual(final)
  }
  return final
}

const write = (member: TestMember, draft: EntryFields): Promise<LedgerEntry> => member.ledger.append(draft)
const remove = (by: TestMember, whom: TestMember): Promise<LedgerEntry> =>
  write(by, { type: 'revoke', person: whom.person() })

const isRemoved = (state: LedgerState, member: TestMember): boolean => state.devices.get(member.id)?.removedAt !== null
const roleOf = (state: LedgerState, member: TestMember): string | undefined => {
  const person = state.devices.get(member.id)?.person
  return person === undefined ? undefined : state.people.get(person)?.role
}
const rules = (state: LedgerState, ...entries: LedgerEntry[]): (RuleName | undefined)[] =>
  entries.map(({ hash }: { hash: EntryHash }) => state.ignored.get(hash))

describe('at the same time', () => {
  beforeAll(async () => {
    world = await freshWorld()
  })

  const fresh = async (): Promise<World> => (world = await freshWorld())

  test('two who remove each other: the senior stays', async () => {
    const { alice, bob } = await fresh()
    const one = await remove(alice, bob)
    const other = await remove(bob, alice)
    const state = await settled([one, other])
    expect([isRemoved(state, alice), isRemoved(state, bob)]).toEqual([false, true])
    expect(rules(state, one, other)).toEqual([undefined, 'removal-first'])
  })

  test('three in a circle: what the senior decided is final, and somebody stays', async () => {
    const { alice, bob, carol } = await fresh()
    const entries = [await remove(alice, bob), await remove(bob, carol), await remove(carol, alice)]
    const state = await settled(entries)
    expect([alice, bob, carol].map((member) => isRemoved(state, member))).toEqual([true, true, false])
    expect(rules(state, ...entries)).toEqual([undefined, 'removal-first', undefined])
  })

  test('removed and promoted: removed', async () => {
    const { alice, bob, dave } = await fresh()
    const removal = await remove(bob, dave)
    const promotion = await write(alice, { type: 'role', person: dave.person(), role: 'owner' })
    const state = await settled([removal, promotion])
    expect(isRemoved(state, dave)).toBe(true)
  })

  test('promoted and made less: less', async () => {
    const { alice, bob, dave } = await fresh()
    const promotion = await write(alice, { type: 'role', person: dave.person(), role: 'owner' })
    const lowering = await write(bob, { type: 'role', person: dave.person(), role: 'guest' })
    expect(roleOf(await settled([promotion, lowering]), dave)).toBe('guest')
  })

  test('what a removed one promoted without being seen is not promoted, nor what that one did then', async () => {
    const { alice, bob, dave } = await fresh()
    const removal = await remove(alice, bob)
    const promotion = await write(bob, { type: 'role', person: dave.person(), role: 'owner' })
    await dave.ledger.take([promotion.bytes])
    const byDave = await write(dave, { type: 'rename', name: 'Dave’s' })
    const state = await settled([removal, promotion, byDave])
    expect(rules(state, removal, promotion, byDave)).toEqual([undefined, 'removal-first', 'lost-support'])
    expect([roleOf(state, dave), state.name]).toEqual(['member', 'Home'])
  })

  test('an inviter is removed and its invitation used: nobody came', async () => {
    const { alice, bob, dave, eve } = await fresh()
    const secret = await invite(bob, random, { name: 'Eve' })
    await exchangeAll([alice, bob, dave])
    const removal = await remove(alice, bob)
    const use = await admitWith(dave, secret, eve)
    const state = await settled([removal, use])
    expect(state.devices.has(eve.id)).toBe(false)
    expect(rules(state, use)).toEqual(['removal-first'])
  })

  test('an invitation is taken back and used: nobody came', async () => {
    const { alice, bob, dave, eve } = await fresh()
    const secret = await invite(bob, random, { name: 'Eve' })
    await exchangeAll([alice, bob, dave])
    const [id] = [...alice.ledger.state().invitations.keys()]
    if (id === undefined) throw new TypeError('no invitation')
    const back = await write(bob, { type: 'invite-revoked', id })
    const use = await admitWith(dave, secret, eve)
    const state = await settled([back, use])
    expect(state.devices.has(eve.id)).toBe(false)
    expect(state.invitations.get(id)?.state).toBe('revoked')
  })

  test('who came by an invitation that does not count later does not belong, nor does what it wrote', async () => {
    const { alice, bob, eve } = await fresh()
    const removal = await remove(alice, bob)
    const secret = await invite(bob, random, { name: 'Eve', role: 'owner' })
    const published = bob.ledger.entries().at(-1)
    if (published === undefined) throw new TypeError('no entry')
    const use = await admitWith(bob, secret, eve)
    const ledger = await loadLedger(ledgerPorts(eve), bob.ledger.mesh)
    await ledger.take(bob.ledger.missingFor([]))
    const strike = await ledger.append({ type: 'revoke', person: alice.person() })
    await alice.ledger.take([published.bytes, use.bytes, strike.bytes])
    const state = await settled([removal, published, use, strike])
    expect(isRemoved(state, alice)).toBe(false)
    expect(state.devices.has(eve.id)).toBe(false)
    expect(rules(state, removal)).toEqual([undefined])
  })

  test('one invitation used twice: the first in the common order is in, the other is not', async () => {
    const { alice, bob, carol, eve, frank } = await fresh()
    const secret = await invite(alice, random, { name: 'Eve' })
    await exchangeAll([alice, bob, carol])
    const one = await admitWith(bob, secret, eve)
    await write(carol, { type: 'rename', device: carol.id, name: 'deeper' })
    const deeper = carol.ledger.entries().at(-1)
    const other = await admitWith(carol, secret, frank)
    if (deeper === undefined) throw new TypeError('no entry')
    const state = await settled([one, deeper, other])
    expect([state.devices.has(eve.id), state.devices.has(frank.id)]).toEqual([true, false])
    expect(rules(state, other)).toEqual(['first-use-wins'])
  })

  test('the same device let in twice by one invitation is in once', async () => {
    const { alice, bob, carol, eve } = await fresh()
    const secret = await invite(alice, random, { name: 'Eve' })
    await exchangeAll([alice, bob, carol])
    const one = await admitWith(bob, secret, eve)
    const other = await admitWith(carol, secret, eve)
    const state = await settled([one, other])
    expect(rules(state, one, other)).toEqual([undefined, undefined])
    expect([...state.people.values()].filter(({ name }) => name === 'Eve')).toHaveLength(1)
  })

  test('two owners who make each other members: the senior stays an owner', async () => {
    const { alice, bob } = await fresh()
    const one = await write(alice, { type: 'role', person: bob.person(), role: 'member' })
    const other = await write(bob, { type: 'role', person: alice.person(), role: 'member' })
    const state = await settled([one, other])
    expect([roleOf(state, alice), roleOf(state, bob)]).toEqual(['owner', 'member'])
    expect(rules(state, one, other)).toEqual([undefined, 'demotion-first'])
  })

  test('the last owners leave: one stays', async () => {
    const { alice, bob, carol } = await fresh()
    await remove(alice, carol)
    await exchangeAll([alice, bob])
    const one = await remove(alice, alice)
    const other = await remove(bob, bob)
    const state = await settled([one, other])
    expect([isRemoved(state, alice), isRemoved(state, bob)]).toEqual([true, false])
    expect(rules(state, other)).toEqual(['keeps-an-owner'])
  })

  test('an owner that was made less does nothing by its old right at an earlier place', async () => {
    const { alice, bob, dave } = await fresh()
    const lowering = await write(alice, { type: 'role', person: bob.person(), role: 'member' })
    const strike = await remove(bob, dave)
    const state = await settled([lowering, strike])
    expect(isRemoved(state, dave)).toBe(false)
    expect(rules(state, strike)).toEqual(['demotion-first'])
  })

  test('put into a room and taken out of it: out', async () => {
    const { alice, bob, carol } = await fresh()
    const { hash } = await write(alice, {
      type: 'room',
      people: [alice.person(), bob.person(), carol.person()],
      history: 'all',
    })
    await exchangeAll([alice, bob, carol])
    const room = [...alice.ledger.state().rooms.keys()][0]
    if (room === undefined) throw new TypeError('no room')
    expect(hash.startsWith(room)).toBe(true)
    const out = await write(alice, { type: 'room-people', room, add: [], remove: [carol.person()] })
    const back = await write(carol, { type: 'room-people', room, add: [world.dave.person()], remove: [] })
    const state = await settled([out, back])
    const people = state.rooms.get(room)?.people
    expect([people?.has(carol.person()), people?.has(world.dave.person())]).toEqual([false, false])
  })

  test('one that was removed may come back by a new admission, and what it wrote before stays out', async () => {
    const { alice, bob, dave } = await fresh()
    const removal = await write(alice, { type: 'revoke', device: dave.id })
    const unseen = await write(dave, { type: 'rename', device: dave.id, name: 'ghost' })
    await exchangeAll([alice, bob, dave])
    const secret = await invite(alice, random, { name: 'Dave again' })
    await admitWith(alice, secret, dave)
    await exchangeAll([alice, bob, dave])
    const named = await write(dave, { type: 'rename', device: dave.id, name: 'back' })
    await exchangeAll([alice, bob, dave])
    const state = alice.ledger.state()
    expect(state.devices.get(dave.id)).toMatchObject({ name: 'back', removedAt: null })
    expect(rules(state, removal, unseen, named)).toEqual([undefined, 'removal-first', undefined])
  })
})

describe('recovery words', () => {
  beforeAll(async () => {
    world = await freshWorld()
  })

  const freshKeys = (): RecoveryKeys => recoveryKeys(createRecoverySecret(random))
  const setKeys = (by: TestMember, keys: RecoveryKeys): Promise<LedgerEntry> =>
    write(by, recoveryDraft(keys, by.ledger.mesh, by.person()))
  /** The device brings itself back, having seen what a member saw when these were its heads. */
  const comeBack = (
    device: TestDevice,
    keys: RecoveryKeys,
    seen: { readonly member: TestMember; readonly heads: readonly EntryHash[] },
  ): Promise<LedgerEntry> => {
    const { mesh } = seen.member.ledger
    const proof = recoveryProof(keys, mesh, device.certificate)
    const known = { person: seen.member.person(), sign: keys.sign.publicKey }
    // who writes it itself has said so by that
    const fields = admitByRecovery(known, proof, device.certificate)
    return signEntry(device.key, fields, { parents: seen.heads, at: device.clock.now(), mesh })
  }
  const take = async (entry: LedgerEntry): Promise<LedgerState> => {
    const { refused } = await world.alice.ledger.take([entry.bytes])
    expect(refused).toEqual([])
    return settled([entry])
  }
  /** Void by what it saw: nobody keeps it. */
  const expectRefused = async (entry: LedgerEntry): Promise<LedgerState> => {
    const { refused } = await world.alice.ledger.take([entry.bytes])
    expect(refused).toMatchObject([{ code: 'unauthorized', reason: RULES['not-the-recovery-key'] }])
    return world.alice.ledger.state()
  }

  test('in force bring a device back with nobody’s help; others do not', async () => {
    const { alice, eve, frank } = (world = await freshWorld())
    const keys = freshKeys()
    await setKeys(alice, keys)
    const seen = { member: alice, heads: alice.ledger.heads() }
    expect((await take(await comeBack(eve, keys, seen))).devices.get(eve.id)).toMatchObject({
      person: alice.person(),
      recovered: true,
    })
    const wrong = await comeBack(frank, freshKeys(), seen)
    expect((await expectRefused(wrong)).devices.get(frank.id)).toBeUndefined()
  })

  test('that were replaced or taken back bring nobody back, also not by an old copy of the ledger', async () => {
    const { alice, eve, frank } = (world = await freshWorld())
    const [old, next] = [freshKeys(), freshKeys()]
    await setKeys(alice, old)
    const before = { member: alice, heads: alice.ledger.heads() }
    await setKeys(alice, next)
    const late = await comeBack(eve, old, before)
    const state = await take(late)
    expect(state.devices.get(eve.id)).toBeUndefined()
    expect(rules(state, late)).toEqual(['not-the-recovery-key'])
    const known = { member: alice, heads: alice.ledger.heads() }
    await write(alice, { type: 'recovery', person: alice.person(), keys: null })
    const later = await comeBack(frank, next, known)
    expect(rules(await take(later), later)).toEqual(['not-the-recovery-key'])
  })

  test('that were used before somebody who saw it replaced them: who came back stays', async () => {
    const { alice, eve } = (world = await freshWorld())
    const keys = freshKeys()
    await setKeys(alice, keys)
    const entry = await comeBack(eve, keys, { member: alice, heads: alice.ledger.heads() })
    await alice.ledger.take([entry.bytes])
    await setKeys(alice, freshKeys())
    expect((await settled([entry])).devices.get(eve.id)?.removedAt).toBeNull()
  })

  test('made on two devices at once: who came back by either belongs until somebody who saw it says otherwise', async () => {
    const { alice, eve, frank } = (world = await freshWorld())
    const laptop = await addDevice(alice, frank)
    const [one, other] = [freshKeys(), freshKeys()]
    await setKeys(alice, one)
    await setKeys(laptop, other)
    const entry = await comeBack(eve, one, { member: alice, heads: alice.ledger.heads() })
    await alice.ledger.take([entry.bytes])
    await exchangeAll([alice, laptop])
    expect((await settled([entry])).devices.get(eve.id)?.removedAt).toBeNull()
  })

  test('that were shown once bring a removed device back no more, whoever writes it down; shown anew they do', async () => {
    const { alice, bob, eve } = (world = await freshWorld())
    const keys = freshKeys()
    await setKeys(alice, keys)
    const first = await comeBack(eve, keys, { member: alice, heads: alice.ledger.heads() })
    await take(first)
    await write(alice, { type: 'revoke', device: eve.id })
    // a thief has the device and the ledger, in which the proof is to read, and not the words
    const alone = await comeBack(eve, keys, { member: alice, heads: alice.ledger.heads() })
    expect((await expectRefused(alone)).devices.get(eve.id)?.removedAt).not.toBeNull()
    await exchangeAll([alice, bob])
    const { fields } = first
    if (fields.type !== 'admit') throw new TypeError('no admission')
    await expect(bob.ledger.append(fields)).rejects.toMatchObject({ code: 'unauthorized' })

    const says = { kind: 'helper', name: 'eve', sealingKey: eve.sealing.publicKey, at: eve.clock.now() + 1 } as const
    const again = { ...eve, certificate: await signCertificate(eve.key, says) }
    const anew = await comeBack(again, keys, { member: alice, heads: alice.ledger.heads() })
    expect((await take(anew)).devices.get(eve.id)).toMatchObject({ removedAt: null, recovered: true })
  })

  test('make nobody senior by what was long ago: who was removed does not come back by an earlier place', async () => {
    const { alice, eve, frank } = (world = await freshWorld())
    const keys = freshKeys()
    await setKeys(alice, keys)
    const longAgo = { member: alice, heads: alice.ledger.heads() }
    for (const name of ['one', 'two', 'three']) await write(alice, { type: 'rename', name })
    const laptop = await addDevice(alice, frank)
    const invited = alice.ledger.heads()
    await write(alice, { type: 'rename', name: 'four' })
    const real = await comeBack(eve, keys, { member: alice, heads: alice.ledger.heads() })
    await alice.ledger.take([real.bytes])
    await exchangeAll([alice, laptop])
    const removal = await write(laptop, { type: 'revoke', device: eve.id })
    await exchangeAll([alice, laptop])
    const { mesh } = alice.ledger
    const earlier = await comeBack(eve, keys, longAgo)
    const strike = (parents: readonly EntryHash[]): Promise<LedgerEntry> =>
      signEntry(eve.key, { type: 'revoke', device: laptop.id }, { parents, at: 5, mesh })
    const strikes = [await strike([earlier.hash, real.hash]), await strike([earlier.hash, ...invited])]
    await alice.ledger.take([earlier, ...strikes].map(({ bytes }) => bytes))
    const state = await settled([removal, earlier, ...strikes])
    expect(state.devices.get(eve.id)?.removedAt).not.toBeNull()
    expect(state.devices.get(laptop.id)?.removedAt).toBeNull()
    expect(rules(state, removal, ...strikes)).toEqual([undefined, 'removal-first', 'removal-first'])
  })

  test('of a person who is removed at the same time bring nobody back', async () => {
    const { alice, carol, eve } = (world = await freshWorld())
    const keys = freshKeys()
    await setKeys(carol, keys)
    await exchangeAll([alice, carol])
    const seen = { member: carol, heads: carol.ledger.heads() }
    await remove(alice, carol)
    const entry = await comeBack(eve, keys, seen)
    const state = await take(entry)
    expect(rules(state, entry)).toEqual(['removal-first'])
    expect(state.recoveries.size).toBe(0)
  })
})
