import { expect, test } from 'vitest'
import {
  createGuests,
  GUEST_GONE_MS,
  PASSES_IN_VAIN_MAX,
  PASSES_MAX,
  type Guests,
  type GuestsPorts,
} from '../../helper/guests/index.ts'
import {
  asId,
  LEDGER_ALLOWANCE_ENTRIES_PER_DAY,
  silentLogger,
  type DeviceId,
  type InvitationId,
} from '../../mesh/base/index.ts'
import type { DeviceView, InviteOptions, PendingJoin } from '../../mesh/mesh-types.ts'
import type { InvitationLine, PersonRole } from '../../mesh/people-types.ts'
import { createVirtualClock, settle } from '../kit/clock.ts'
import { createMemoryStore } from '../kit/memory-store.ts'

const SELF = asId<DeviceId>('helper')
const VISITOR = asId<DeviceId>('visitor')

/** A helper's guests over a mesh of which everything can be said. */
function scene(options: { wanted?: boolean; role?: PersonRole } = {}) {
  const clock = createVirtualClock()
  const lines: InvitationLine[] = []
  const devices: DeviceView[] = []
  const asked: InviteOptions[] = []
  const removed: string[] = []
  const waiting: InvitationId[] = []
  let made = 0
  const line = (change: Partial<InvitationLine>): InvitationLine => ({
    ...{ id: asId<InvitationId>(String(made++)), madeBy: SELF, madeByName: 'Attic', person: 'Guest' },
    ...{ role: 'guest', confirmation: 'pictures', createdAt: clock.now(), expiresAt: clock.now() + 600_000 },
    ...{ state: 'open', revocable: true },
    ...change,
  })
  const device = (change: Partial<DeviceView>): DeviceView => ({
    ...{ id: VISITOR, name: 'Grey Wren', kind: 'browser', role: 'guest', person: 'Guest', personId: 'of the visitor' },
    ...{ state: 'online', path: 'direct', rttMs: 1, lastSeenAt: clock.now(), admittedAt: clock.now() },
    ...{ admittedBy: SELF, recovered: false, models: [], load: { slots: 0, busy: 0, queued: 0 }, removable: true },
    ...change,
  })
  const mesh: GuestsPorts['mesh'] = {
    self: SELF,
    people: () => [
      {
        ...{ id: 'own', name: 'Ana', role: options.role ?? 'owner', own: true, devices: [SELF], addedAt: 0 },
        ...{ removedAt: null, roleChangeable: false, removable: false },
      },
    ],
    devices: () => devices,
    invitations: () => lines,
    pendingJoins: () => waiting.map((invitation) => ({ invitation }) as PendingJoin),
    invite(wanted) {
      asked.push(wanted)
      const made = line({ expiresAt: clock.now() + (wanted.lifetimeMs ?? 0) })
      lines.push(made)
      const { id, expiresAt } = made
      const fragment = `join=${id}`
      return Promise.resolve({ id, fragment, url: '', expiresAt, confirmation: wanted.confirmation })
    },
    removePerson(person) {
      removed.push(person)
      devices.length = 0
      return Promise.resolve()
    },
  }
  const store = createMemoryStore()
  const start = (): Guests =>
    createGuests({ mesh, store, clock, log: silentLogger, areWanted: () => options.wanted !== false })
  const guests = start()
  /** Time goes by, with everything that is due in it. */
  const pass = async (ms: number): Promise<void> => {
    clock.advance(ms)
    await settle()
  }
  return { guests, start, waiting, clock, lines, line, devices, device, asked, removed, pass }
}

const { signal } = new AbortController()

test('a pass invites a guest, for a person to compare pictures, and few are open at once', async () => {
  const { guests, asked, lines, line, waiting } = scene()
  expect(await guests.pass({ signal })).toEqual({ fragment: 'join=0', expiresAt: lines[0]?.expiresAt })
  expect(asked).toEqual([
    { person: 'Guest', role: 'guest', confirmation: 'pictures', lifetimeMs: 24 * 60 * 60_000, signal },
  ])
  for (let count = 1; count < PASSES_MAX; count++) {
    waiting.push(...lines.map(({ id }) => id))
    await guests.pass({ signal })
  }
  expect(lines).toHaveLength(PASSES_MAX)
  waiting.push(...lines.map(({ id }) => id))
  await expect(guests.pass({ signal })).rejects.toMatchObject({ code: 'busy' })
  lines.splice(0, 1, line({ state: 'used', usedBy: VISITOR }))
  await expect(guests.pass({ signal })).resolves.toBeDefined()
  guests.stop()
})

test('whoever asks again and again gets the same pass, also of a helper that started anew', async () => {
  const { guests, start, asked, clock, lines } = scene()
  const first = await guests.pass({ signal })
  for (let count = 0; count < 100; count++) expect(await guests.pass({ signal })).toEqual(first)
  const again = start()
  expect(await again.pass({ signal })).toEqual(first)
  expect(asked).toHaveLength(1)
  // shortly before its end it is of no use to who comes now
  clock.advance(24 * 60 * 60_000 - 5 * 60_000)
  expect(await again.pass({ signal })).not.toEqual(first)
  expect(lines).toHaveLength(2)
  guests.stop()
  again.stop()
})

test('whoever asks and never comes in cannot fill the ledger: so many a day, and who came in does not count', async () => {
  const { guests, lines, line, clock } = scene()
  const ended = (state: InvitationLine['state']): void => {
    lines.splice(0, lines.length, ...lines.map((one) => (one.state === 'open' ? { ...one, state } : one)))
  }
  for (let each = 0; each < PASSES_IN_VAIN_MAX; each++) {
    await guests.pass({ signal })
    lines.push(line({ state: 'used', usedBy: VISITOR }))
    ended(each % 2 === 0 ? 'expired' : 'revoked')
  }
  await expect(guests.pass({ signal })).rejects.toMatchObject({ code: 'busy' })
  clock.advance(24 * 60 * 60_000)
  await expect(guests.pass({ signal })).resolves.toBeDefined()
  guests.stop()
})

test.each([
  ['nobody wants them', { wanted: false }],
  ['this helper belongs to a member, who invites nobody', { role: 'member' }],
] as const)('no pass is made where %s', async (_why, options) => {
  const { guests, asked } = scene(options)
  expect(guests.areLetIn()).toBe(false)
  await expect(guests.pass({ signal })).rejects.toMatchObject({ code: 'refused' })
  expect(asked).toEqual([])
})

test('a guest who was not seen for an hour is removed, and not before', async () => {
  const { lines, line, devices, device, removed, pass, clock, guests } = scene()
  lines.push(line({ state: 'used', usedBy: VISITOR }))
  devices.push(device({ state: 'online' }))
  await pass(3 * GUEST_GONE_MS)
  devices.splice(0, 1, device({ state: 'asleep', lastSeenAt: clock.now() }))
  await pass(GUEST_GONE_MS - 600_000)
  expect(removed).toEqual([])
  await pass(600_000)
  expect(removed).toEqual(['of the visitor'])
  guests.stop()
  expect(clock.pending).toBe(0)
})

test('who is away while the helper was off has an hour from its start', async () => {
  const { lines, line, devices, device, removed, pass, clock } = scene()
  lines.push(line({ state: 'used', usedBy: VISITOR }))
  devices.push(device({ state: 'unreachable', lastSeenAt: clock.now() - 10 * GUEST_GONE_MS }))
  await pass(GUEST_GONE_MS / 2)
  expect(removed).toEqual([])
  await pass(GUEST_GONE_MS / 2)
  expect(removed).toEqual(['of the visitor'])
})

test.each<[string, Partial<InvitationLine>, Partial<DeviceView>]>([
  ['a guest that somebody invited by name', { confirmation: 'in-advance' }, {}],
  ['a guest of another device', { madeBy: asId<DeviceId>('other') }, {}],
  ['a guest an owner made a member', {}, { role: 'member' }],
])('%s keeps the place', async (_who, invitation, change) => {
  const { lines, line, devices, device, removed, pass } = scene()
  lines.push(line({ state: 'used', usedBy: VISITOR, ...invitation }))
  devices.push(device({ state: 'unreachable', ...change }))
  await pass(10 * GUEST_GONE_MS)
  expect(removed).toEqual([])
})

test('a stranger who always waits by a pass adds no more to the ledger than a day gives back', async () => {
  const { guests, waiting, lines, clock } = scene()
  const days = 20
  for (let hour = 0; hour < days * 24; hour++) {
    // whoever asks waits by what they were given, so that there is always none free
    await guests.pass({ signal }).catch(() => undefined)
    waiting.splice(0, waiting.length, ...lines.map(({ id }) => id))
    clock.advance(60 * 60_000)
    lines.splice(
      0,
      lines.length,
      ...lines.map((one) => (one.expiresAt <= clock.now() ? { ...one, state: 'expired' as const } : one)),
    )
  }
  expect(lines.length).toBeGreaterThan(days)
  expect(lines.length).toBeLessThanOrEqual((days + 1) * LEDGER_ALLOWANCE_ENTRIES_PER_DAY)
  guests.stop()
})
