import { expect, test } from 'vitest'
import { asId, type EntryHash, type RoomId } from './base/index.ts'
import { roomIdOf, roomScope, type EntryFields, type ScopeId } from './identity/index.ts'
import {
  addPerson,
  createTestDevice,
  exchangeAll,
  foundMesh,
  type TestDevice,
  type TestMember,
} from '../tests/kit/ledger.ts'
import { createSeededRandom } from '../tests/kit/random.ts'
import { writingEndIn, writingEndOf } from './writing-ends.ts'

type Known = Parameters<typeof writingEndOf>[0]
const epoch = (generation: number, counts = true): Known['epochs'][number] => ({
  id: asId<EntryHash>(`epoch-${String(generation)}`),
  generation,
  at: generation * 100,
  counts,
})
// Mallory holds the second, and was removed before the third
const epochs = [epoch(4), epoch(3), epoch(2), epoch(1)]
const loss = { id: asId<EntryHash>('removal'), at: 250 }
const heard = (at: number) => (): number => at
/** What was sealed to her, and what of these was given to her later. */
const given =
  (...later: number[]): Known['isGiven'] =>
  (id) =>
    [2, ...later].some((generation) => epoch(generation).id === id)
const endFor = (self: 'alice' | 'newcomer', change: Partial<Known> = {}): ReturnType<typeof writingEndOf> =>
  writingEndOf({
    ...{ epochs, isGiven: given(), knewIt: () => true, losses: [loss] },
    ...{ isNew: () => self === 'newcomer', receivedAt: heard(5_000), isAlone: () => false },
    ...change,
  })

test('a right has ended here since the first key without it was heard of, whenever that was made', () => {
  expect(endFor('alice')).toEqual({ at: 5_000, isAlone: false })
})

test('for who came later it has ended since that key was made, for others could tell since then', () => {
  expect(endFor('newcomer')).toEqual({ at: 300, isAlone: false })
  // a clock that ran ahead opens nothing
  expect(endFor('newcomer', { receivedAt: heard(200) })).toEqual({ at: 200, isAlone: false })
})

test('where nobody of that time is left who may write, it has ended since it was heard of', () => {
  expect(endFor('newcomer', { isAlone: () => true })).toEqual({ at: 5_000, isAlone: true })
  expect(endFor('alice', { isAlone: () => true })).toEqual({ at: 5_000, isAlone: true })
})

test('it has not ended while no key without it is known, and keys that the removed one made are none', () => {
  expect(endFor('alice', { epochs: epochs.slice(2) })).toBeUndefined()
  expect(endFor('alice', { epochs: [epoch(5, false), ...epochs] })).toEqual({ at: 5_000, isAlone: false })
})

test('of two keys that were made at the same time the one without it tells, and those from before it came do not', () => {
  const parallel = { ...epoch(3), id: asId<EntryHash>('epoch-3-bob') }
  const isGiven = (id: EntryHash): boolean => id === parallel.id || given()(id)
  const end = { at: 5_000, isAlone: false }
  expect(endFor('alice', { isGiven, epochs: [epoch(3), parallel, ...epochs.slice(2)] })).toEqual(end)
  // she came at the third and was given all; who made the other second one did not know her
  const before = [{ ...epoch(2), id: asId<EntryHash>('epoch-2-alice') }, epoch(2), epoch(1)]
  const seen = (one: EntryHash): number => (one === epochs[0]?.id ? 5_000 : 100)
  const came = { isGiven: given(1, 2), knewIt: (one: EntryHash) => !one.startsWith('epoch-2'), receivedAt: seen }
  expect(endFor('alice', { ...came, epochs: [...epochs.slice(0, 1), ...before] })).toEqual(end)
  expect(endFor('alice', { ...came, epochs: before })).toBeUndefined()
})

test('a key without it that was made before its removal shuts nothing, and who says the removal again puts nothing off', () => {
  const times = (removal: number) => (one: EntryHash) =>
    one === loss.id ? removal : one === epochs[1]?.id ? 100 : 5_000
  expect(endFor('alice', { receivedAt: times(4_000) })).toEqual({ at: 4_000, isAlone: false })
  const again = { id: asId<EntryHash>('removal again'), at: 900 }
  expect(endFor('alice', { receivedAt: times(4_000), losses: [loss, again] })).toEqual({ at: 4_000, isAlone: false })
  // who came later goes by when it was made, as of a key
  expect(endFor('newcomer', { losses: [{ ...loss, at: 350 }] })).toEqual({ at: 350, isAlone: false })
})

const random = createSeededRandom('writing ends')
const DAY_MS = 24 * 60 * 60_000

/** Whoever may write makes a key and seals it to these. */
async function rotate(scope: ScopeId, by: TestMember, to: readonly TestDevice[]): Promise<void> {
  const [newest] = by.ledger.state().epochs.get(scope) ?? []
  const sealed = to.map(({ id }) => ({ to: id, box: random.bytes(80) }))
  const generation = (newest?.generation ?? 0) + 1
  await by.ledger.append({ type: 'rotate', scope, generation, check: random.bytes(32), sealed })
}

/** How a right is lost and given again. */
const LOSSES: Readonly<Record<string, (carol: TestMember, room: RoomId) => readonly [EntryFields, EntryFields?]>> = {
  'her removal': ({ id }) => [{ type: 'revoke', device: id }],
  'the removal of her person': (carol) => [{ type: 'revoke', person: carol.person() }],
  'another role': (carol) => [
    { type: 'role', person: carol.person(), role: 'guest' },
    { type: 'role', person: carol.person(), role: 'member' },
  ],
  'being taken out of a room': (carol, room) => [
    { type: 'room-people', room, add: [], remove: [carol.person()] },
    { type: 'room-people', room, add: [carol.person()], remove: [] },
  ],
}

test.each(Object.keys(LOSSES))('a key that a member makes before %s shuts no days of a device', async (how) => {
  const alice = await foundMesh(await createTestDevice(random, `alice ${how}`), random)
  const carol = await addPerson(alice, await createTestDevice(random, `carol ${how}`), 'Carol', 'member')
  const bob = await addPerson(alice, await createTestDevice(random, `bob ${how}`), 'Bob', 'member')
  const all = [alice, bob, carol]
  const people = all.map((one) => one.person())
  const room = roomIdOf((await alice.ledger.append({ type: 'room', people, history: 'all' })).hash)
  const scope = how.endsWith('room') ? roomScope(room) : 'mesh'
  await exchangeAll(all)
  await rotate(scope, alice, all)
  await exchangeAll(all)
  await rotate(scope, bob, [bob])
  await exchangeAll(all)
  const end = (): ReturnType<typeof writingEndIn> =>
    writingEndIn(alice.ledger, {
      ...{ device: carol.id, scope, self: alice.id },
      mayWrite: (one) => one !== carol.id,
    })
  const [loss, gain] = LOSSES[how]?.(carol, room) ?? []
  if (loss === undefined) throw new TypeError('no such loss')
  if (gain !== undefined) {
    // a right that was given again was not lost then
    await alice.ledger.append(loss)
    await alice.ledger.append(gain)
  }
  alice.clock.advance(31 * DAY_MS)
  await alice.ledger.append(loss)
  const lost = { at: alice.clock.now(), isAlone: false }
  expect(end()).toEqual(lost)
  alice.clock.advance(DAY_MS)
  await rotate(scope, alice, [alice, bob])
  if (gain !== undefined) await alice.ledger.append(loss)
  expect(end()).toEqual(lost)
})
