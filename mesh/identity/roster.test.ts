import { expect, test } from 'vitest'
import { createMemoryStore } from '../../tests/kit/memory-store.ts'
import { createSeededRandom } from '../../tests/kit/random.ts'
import type { DeviceId } from '../base/index.ts'
import { loadDeviceKey } from './device-key.ts'
import {
  activeEntry,
  openRoster,
  ROSTER_MAX_BYTES,
  ROSTER_MAX_DEVICES,
  signRoster,
  withEntry,
  type Roster,
  type RosterEntry,
} from './roster.ts'

const key = await loadDeviceKey(createMemoryStore(), createSeededRandom(1))

function entry(index: number, change: Partial<RosterEntry> = {}): RosterEntry {
  return {
    id: `12D3KooW${String(index).padStart(44, 'A').replaceAll('0', 'z')}` as DeviceId,
    name: '机'.repeat(60),
    kind: 'browser',
    role: 'member',
    person: '人'.repeat(60),
    admittedAt: index,
    admittedBy: key.id,
    removedAt: null,
    ...change,
  }
}

function rosterOf(devices: readonly RosterEntry[]): Roster {
  return { issuer: key.id, version: 1, issuedAt: 1, devices: [...devices] }
}

const many = (count: number, change: (index: number) => Partial<RosterEntry> = () => ({})): RosterEntry[] =>
  Array.from({ length: count }, (_, index) => entry(index + 1, change(index)))

test('a list that nobody could take is not signed', async () => {
  const full = withEntry(rosterOf(many(ROSTER_MAX_DEVICES - 1)), entry(9_999), 2)
  await expect(signRoster(full, key)).rejects.toMatchObject({ code: 'refused' })
})

test('on a full list the removed make room, the longest removed first, and nobody else goes', async () => {
  const devices = many(ROSTER_MAX_DEVICES - 1, (index) => (index % 2 === 0 ? { removedAt: index } : {}))
  const next = withEntry(rosterOf(devices), entry(9_999), 2)
  const signed = await signRoster(next, key)
  expect(signed.body.byteLength).toBeLessThanOrEqual(ROSTER_MAX_BYTES)
  const read = await openRoster(signed)
  const active = devices.filter((one) => one.removedAt === null)
  for (const one of [...active, entry(9_999)]) expect(activeEntry(read, one.id)?.id).toBe(one.id)
  const left = read.devices.flatMap((one) => (one.removedAt === null ? [] : [one.removedAt]))
  expect(Math.min(...left)).toBe(Math.max(...devices.flatMap((one) => one.removedAt ?? [])) - 2 * (left.length - 1))
})

test('with 512 devices in use one more is refused with a sentence', () => {
  expect(() => withEntry(rosterOf(many(ROSTER_MAX_DEVICES)), entry(9_999), 2)).toThrow(/Remove one first/)
})

test('names on a list of somebody else cannot turn the direction of writing or be empty', async () => {
  const devices = [entry(1, { name: 'Ali\u202Ece', person: '\u2066Bob\n' }), entry(2, { name: '\u200b', person: '' })]
  const read = await openRoster(await signRoster(rosterOf(devices), key))
  expect(read.devices.map(({ name, person }) => [name, person])).toEqual([
    ['Ali ce', 'Bob'],
    ['Unnamed device', ''],
  ])
})

test('a device that is on a list twice, once removed, is named once by whoever changes it', async () => {
  const twice = rosterOf([entry(1, { removedAt: 5 }), entry(1)])
  const changed = withEntry(await openRoster(await signRoster(twice, key)), entry(1, { removedAt: 6 }), 7)
  expect(changed.devices.filter((one) => one.id === entry(1).id)).toHaveLength(1)
  expect(activeEntry(changed, entry(1).id)).toBeUndefined()
})
