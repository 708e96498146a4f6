import { expect, test } from 'vitest'
import {
  createGuests,
  GUEST_GONE_MS,
  PASSES_IN_VAIN_MAX,
  PASSES_MAX,
  type GuestsPorts,
} from '../../helper/guests/index.ts'
import { asId, silentLogger, type DeviceId, type InvitationId } from '../../mesh/base/index.ts'
import type { DeviceView, InviteOptions } from '../../mesh/mesh-types.ts'
import type { InvitationLine, PersonRole } from '../../mesh/people-types.ts'
import { createVirtualClock, settle } from '../kit/clock.ts'

const SELF = asId<DeviceId>('helper')
const VISITOR = asId<DeviceId>('visitor')

/** A helper's guests over a mesh of which everything can be said. */
function scene(options: { wanted?: boolean; role?: PersonRole } = {}) {
  const clock = createVirtualClock()
  const lines: InvitationLine[] = []
  const devices: DeviceView[] = []
  const asked: InviteOptions[] = []
  const removed: string[] = []
  const line = (change: Partial<InvitationLine>): InvitationLine => ({
    ...{ id: asId<InvitationId>(String(lines.length)), madeBy: SELF, madeByName: 'Attic', person: 'Guest' },
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
    invite(wanted) {
      asked.push(wanted)
      lines.push(line({}))
      const id = asId<InvitationId>('made')
      return Promise.resolve({ id, fragment: 'join=AA', url: '', expiresAt: 1_000, confirmation: wanted.confirmation })
    },
    removePerson(person) {
      removed.push(person)
      devices.length = 0
      return Promise.resolve()
    },
  }
  const guests = createGuests({ mesh, clock, log: silentLogger, areWanted: () => options.wanted !== false })
  /** Time goes by, with everything that is due in it. */
  const pass = async (ms: number): Promise<void> => {
    clock.advance(ms)
    await settle()
  }
  return { guests, clock, lines, line, devices, device, asked, removed, pass }
}

const { signal } = new AbortController()

test('a pass invites a guest, for a person to compare pictures, and few are open at once', async () => {
  const { guests, asked, lines, line } = scene()
  expect(await guests.pass({ signal })).toEqual({ fragment: 'join=AA', expiresAt: 1_000 })
  expect(asked).toEqual([{ person: 'Guest', role: 'guest', confirmation: 'pictures', signal }])
  const rest = await Promise.allSettled(Array.from({ length: PASSES_MAX }, () => guests.pass({ signal })))
  expect(rest.filter(({ status }) => status === 'fulfilled')).toHaveLength(PASSES_MAX - 1)
  await expect(guests.pass({ signal })).rejects.toMatchObject({ code: 'busy' })
  lines.splice(0, 1, line({ state: 'used', usedBy: VISITOR }))
  await expect(guests.pass({ signal })).resolves.toBeDefined()
  guests.stop()
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
