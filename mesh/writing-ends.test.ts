import { expect, test } from 'vitest'
import { asId, type DeviceId, type EntryHash } from './base/index.ts'
import { isKeyGiven, writingEndOf } from './writing-ends.ts'

const device = (name: string): DeviceId => asId<DeviceId>(name)
const [alice, bob, mallory, newcomer] = ['alice', 'bob', 'mallory', 'newcomer'].map(device) as [
  DeviceId,
  DeviceId,
  DeviceId,
  DeviceId,
]
const epoch = (
  generation: number,
  holders: readonly DeviceId[],
  counts = true,
): Parameters<typeof writingEndOf>[1]['epochs'][number] => ({
  id: asId<EntryHash>(`epoch-${String(generation)}`),
  scope: 'mesh' as const,
  generation,
  at: generation * 100,
  sealed: holders.map((to) => ({ to, box: new Uint8Array() })),
  counts,
})
// Mallory holds the second, and was removed before the third
const epochs = [
  epoch(4, [alice, bob, newcomer]),
  epoch(3, [alice, bob]),
  epoch(2, [alice, bob, mallory]),
  epoch(1, [alice, bob]),
]
const heard = (at: number) => (): number => at
/** What was sealed to her, and what of these was given to her later. */
const given =
  (...later: number[]): Parameters<typeof writingEndOf>[1]['isGiven'] =>
  (one) =>
    isKeyGiven(mallory, one, {
      shares: [
        {
          entry: asId<EntryHash>('share'),
          scope: 'mesh',
          to: mallory,
          epochs: later.map((generation) => asId<EntryHash>(`epoch-${String(generation)}`)),
          box: new Uint8Array(),
        },
      ],
    })
const endFor = (
  self: DeviceId,
  change: Partial<Parameters<typeof writingEndOf>[1]> = {},
): ReturnType<typeof writingEndOf> =>
  writingEndOf(mallory, {
    ...{ self, epochs, isGiven: given(), knewIt: () => true },
    ...{ receivedAt: heard(5_000), mayWrite: (one: DeviceId) => one !== mallory },
    ...change,
  })

test('a right has ended here since the first key without it was heard of, whenever that was made', () => {
  expect(endFor(alice)).toEqual({ at: 5_000, isAlone: false })
})

test('for who came later it has ended since that key was made, for others could tell since then', () => {
  expect(endFor(newcomer)).toEqual({ at: 300, isAlone: false })
  // a clock that ran ahead opens nothing
  expect(endFor(newcomer, { receivedAt: heard(200) })).toEqual({ at: 200, isAlone: false })
})

test('where nobody of that time is left who may write, it has ended since it was heard of', () => {
  expect(endFor(newcomer, { mayWrite: (one) => one === newcomer })).toEqual({ at: 5_000, isAlone: true })
  expect(endFor(alice, { mayWrite: (one) => one === alice })).toEqual({ at: 5_000, isAlone: true })
})

test('it has not ended while no key without it is known, and keys that the removed one made are none', () => {
  expect(endFor(alice, { epochs: epochs.slice(2) })).toBeUndefined()
  expect(endFor(alice, { epochs: [epoch(5, [mallory], false), ...epochs] })).toEqual({ at: 5_000, isAlone: false })
})

test('of two keys that were made at the same time the one without it tells, and those from before it came do not', () => {
  const parallel = { ...epoch(3, [alice, bob, mallory]), id: asId<EntryHash>('epoch-3-bob') }
  const end = { at: 5_000, isAlone: false }
  expect(endFor(alice, { epochs: [epochs[1], parallel, ...epochs.slice(2)] as typeof epochs })).toEqual(end)
  // she came at the third and was given all; who made the other second one did not know her
  const before = [
    { ...epoch(2, [alice]), id: asId<EntryHash>('epoch-2-alice') },
    epoch(2, [alice, bob]),
    epoch(1, [alice]),
  ]
  const seen = (one: EntryHash): number => (one === epochs[0]?.id ? 5_000 : 100)
  const came = { isGiven: given(1, 2), knewIt: (one: EntryHash) => !one.startsWith('epoch-2'), receivedAt: seen }
  expect(endFor(alice, { ...came, epochs: [...epochs.slice(0, 1), ...before] })).toEqual(end)
  expect(endFor(alice, { ...came, epochs: before })).toBeUndefined()
})
