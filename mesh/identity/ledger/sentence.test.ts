import { expect, test } from 'vitest'
import { addDevice, addPerson, createTestDevice, foundMesh, invite } from '../../../tests/kit/ledger.ts'
import { createSeededRandom } from '../../../tests/kit/random.ts'
import { audienceOf, scopesOf } from './audience.ts'
import { personScope, roomIdOf, roomScope, scopeOf } from './scope.ts'
import { SENTENCE_KEYS, sentenceOf } from './sentence.ts'
import { authorizeScope, subjectOf } from './standing.ts'

const random = createSeededRandom('sentences')

test('each entry is a sentence with who, when and what', async () => {
  const alice = await foundMesh(await createTestDevice(random, 'desk'), random)
  const phone = await addDevice(alice, await createTestDevice(random, 'phone'))
  const bob = await addPerson(alice, await createTestDevice(random, 'bob'), 'Bob', 'member')
  await invite(alice, random, { name: 'Dora', role: 'guest' })
  await alice.ledger.append({ type: 'rename', name: 'Castle' })
  await alice.ledger.append({ type: 'rename', device: phone.id, name: 'pocket' })
  await alice.ledger.append({ type: 'revoke', person: bob.person() })
  const sentences = alice.ledger.entries().map(sentenceOf)
  const { person } = alice
  expect(sentences).toMatchObject([
    { key: 'create', values: { author: alice.id, mesh: 'Home', person: 'Alice' } },
    { key: 'admit.device', values: { device: phone.id, name: 'phone', person: person() } },
    { key: 'admit.new-person', values: { device: bob.id, personName: 'Bob', role: 'member' } },
    { key: 'invite.person', values: { name: 'Dora', role: 'guest' } },
    { key: 'rename.mesh', values: { name: 'Castle' } },
    { key: 'rename.device', values: { device: phone.id, name: 'pocket' } },
    { key: 'revoke.person', values: { person: bob.person() } },
  ])
  for (const { key, values } of sentences) {
    expect(SENTENCE_KEYS).toContain(key)
    expect(values['at']).toBe(alice.clock.now())
  }
})

test('a scope is open to the devices of those it is for, and to no removed, helper-only or guest', async () => {
  const alice = await foundMesh(await createTestDevice(random, 'desk'), random)
  const phone = await addDevice(alice, await createTestDevice(random, 'phone'))
  const bob = await addPerson(alice, await createTestDevice(random, 'bob'), 'Bob', 'member')
  const box = await addPerson(alice, await createTestDevice(random, 'box'), 'Box', 'helper-only')
  const guest = await addPerson(alice, await createTestDevice(random, 'guest'), 'Guest', 'guest')
  const people = [alice, bob, box, guest].map((member) => member.person())
  const { hash } = await alice.ledger.append({ type: 'room', people, history: 'all' })
  await alice.ledger.append({
    type: 'recovery',
    person: alice.person(),
    keys: { sign: random.bytes(32), seal: random.bytes(32) },
  })
  const room = roomScope(roomIdOf(hash))
  const state = alice.ledger.state()
  const all = [alice.id, phone.id, bob.id].sort()
  expect(audienceOf(state, 'mesh')).toEqual({ devices: all, recoveries: [alice.person()] })
  expect(audienceOf(state, room)).toEqual({ devices: all, recoveries: [alice.person()] })
  expect(audienceOf(state, personScope(bob.person()))).toEqual({ devices: [bob.id], recoveries: [] })
  expect(scopesOf(state, guest.id)).toEqual([])
  expect(scopesOf(state, bob.id)).toEqual(['mesh', personScope(bob.person()), room])
  await alice.ledger.append({ type: 'revoke', device: phone.id })
  await alice.ledger.append({ type: 'room-people', room: roomIdOf(hash), add: [], remove: [bob.person()] })
  expect(audienceOf(alice.ledger.state(), room).devices).toEqual([alice.id])
  expect(scopesOf(alice.ledger.state(), phone.id)).toEqual([])
})

test('what a device may do with a scope follows from its person’s role and place', async () => {
  const alice = await foundMesh(await createTestDevice(random, 'desk'), random)
  const bob = await addPerson(alice, await createTestDevice(random, 'bob'), 'Bob', 'member')
  const box = await addPerson(alice, await createTestDevice(random, 'box'), 'Box', 'helper-only')
  const stranger = await createTestDevice(random, 'stranger')
  const { hash } = await alice.ledger.append({ type: 'room', people: [alice.person()], history: 'all' })
  const room = roomScope(roomIdOf(hash))
  const own = personScope(alice.person())
  const may = (id: typeof alice.id, action: 'read' | 'write' | 'store', scope: typeof room): boolean =>
    authorizeScope(alice.ledger.state(), id, action, scope).allowed
  expect([may(alice.id, 'write', room), may(bob.id, 'read', room), may(bob.id, 'store', room)]).toEqual([
    true,
    false,
    true,
  ])
  expect([may(alice.id, 'read', own), may(bob.id, 'read', own), may(box.id, 'store', own)]).toEqual([true, false, true])
  expect([may(box.id, 'read', 'mesh'), may(stranger.id, 'store', 'mesh')]).toEqual([false, false])
  await alice.ledger.append({ type: 'revoke', person: bob.person() })
  const state = alice.ledger.state()
  expect([alice, bob, box, stranger].map(({ id }) => subjectOf(state, id))).toEqual([
    'owner',
    'removed',
    'helper-only',
    'stranger',
  ])
  expect(may(bob.id, 'store', 'mesh')).toBe(false)
})

test('a scope’s id reads back in its parts', () => {
  const id = 'ab'.repeat(16) as never
  expect(scopeOf('mesh')).toEqual({ kind: 'mesh' })
  expect(scopeOf(personScope(id))).toEqual({ kind: 'person', person: id })
  expect(scopeOf(roomScope(id))).toEqual({ kind: 'room', room: id })
})
