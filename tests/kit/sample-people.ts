import type { DeviceId } from '../../mesh/base/index.ts'
import { fakeEntry, fakeInvitationId, fakePerson, type PeopleScript } from './fake-people.ts'

interface Named {
  readonly id: DeviceId
  readonly name: string
}

/** The devices of {@link samplePeople}; `self` belongs to the owner, `guest` to Bob. */
export interface SampleDevices {
  readonly self: Named
  readonly second: Named
  readonly guest: Named
  /** A device that was removed a while ago. */
  readonly gone: Named
}

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
const DAY_MS = 24 * HOUR_MS

/** A mesh with a past: two people and one who left, every kind of entry, every state of an invitation. */
export function samplePeople({ self, second, guest, gone }: SampleDevices, now: number): PeopleScript {
  const ana = fakePerson('Ana', { own: true, devices: [self.id, second.id], addedAt: now - 200 * DAY_MS })
  const bob = fakePerson('Bob', {
    role: 'member',
    devices: [guest.id],
    addedAt: now - 60 * DAY_MS,
    roleChangeable: true,
    removable: true,
  })
  const server = fakePerson('Studio server', {
    role: 'helper-only',
    addedAt: now - 20 * DAY_MS,
    roleChangeable: true,
    removable: true,
  })
  const at = (days: number, minutes = 0): number => now - days * DAY_MS - minutes * MINUTE_MS
  const removedAt = now - 47 * MINUTE_MS
  return {
    people: [ana, bob, server],
    ledger: [
      fakeEntry('create', second, at(200), { name: 'Home', person: ana.name }),
      fakeEntry('rotate.mesh', second, at(200) + MINUTE_MS, { generation: 1, count: 1 }),
      fakeEntry('admit.own', second, at(199), { name: self.name, person: ana.name }),
      fakeEntry('recovery.set', self, at(198), { person: ana.name }),
      fakeEntry('invite.person', self, at(61), { person: bob.name, role: 'guest' }),
      fakeEntry('admit.person', self, at(60), { name: guest.name, person: bob.name, role: 'guest' }),
      fakeEntry('rotate.mesh', self, at(60) + MINUTE_MS, { generation: 6, count: 3 }),
      fakeEntry('share', second, at(60) + 2 * MINUTE_MS, { name: guest.name, count: 5 }),
      fakeEntry('role', second, at(40), { person: bob.name, role: 'member' }),
      fakeEntry('role', guest, at(40) + 5 * MINUTE_MS, { person: bob.name, role: 'owner' }, setAside('not-allowed')),
      fakeEntry('certify', guest, at(30), { name: guest.name }),
      fakeEntry('rename.device', guest, at(29), { name: guest.name }),
      fakeEntry('rename.mesh', self, at(28), { name: 'Home' }),
      fakeEntry('invite.own', self, at(20), {}),
      fakeEntry('invite-revoked', self, at(19), {}),
      fakeEntry('invite.person', self, at(20), { person: server.name, role: 'helper-only' }),
      fakeEntry('room', guest, at(12), { count: 2 }),
      fakeEntry('room-people', guest, at(11), { count: 3 }),
      fakeEntry('rotate.room', guest, at(11) + MINUTE_MS, { generation: 2, count: 3 }),
      fakeEntry('rotate.person', self, at(2), { person: ana.name, generation: 3, count: 2 }),
      fakeEntry('admit.own', gone, removedAt - 5 * MINUTE_MS, { name: 'Unknown' }, setAside('removal-first')),
      fakeEntry('revoke.device', self, removedAt, { name: gone.name }),
      fakeEntry('rotate.mesh', second, removedAt + MINUTE_MS, { generation: 8, count: 3 }),
    ],
    invitations: [
      invitation('open', self, now - 2 * MINUTE_MS, { person: 'Cleo', role: 'guest', revocable: true }),
      invitation('used', self, at(60), { person: bob.name, role: 'guest', usedBy: guest.id }),
      invitation('revoked', self, at(20), { person: '', role: 'owner', confirmation: 'in-advance' }),
      invitation('expired', second, at(21), { person: 'Dan', role: 'member' }),
    ],
    keys: [
      { scope: 'mesh', generation: 8, changedAt: removedAt + MINUTE_MS, changedBy: second.id, holders: 3 },
      { scope: 'person', generation: 3, changedAt: at(2), changedBy: self.id, holders: 2 },
      { scope: 'room', room: 'a7c1', generation: 2, changedAt: at(11), changedBy: guest.id, holders: 3 },
    ],
    removals: [{ device: gone.id, name: gone.name, removedAt, removedBy: self.id, generation: 8, told: 2, of: 3 }],
  }
}

const setAside = (ignoredBy: string): { counts: false; ignoredBy: string } => ({ counts: false, ignoredBy })

function invitation(
  state: 'open' | 'used' | 'revoked' | 'expired',
  by: Named,
  createdAt: number,
  rest: Partial<NonNullable<PeopleScript['invitations']>[number]>,
): NonNullable<PeopleScript['invitations']>[number] {
  return {
    id: fakeInvitationId(state),
    madeBy: by.id,
    madeByName: by.name,
    person: '',
    role: 'member',
    confirmation: 'pictures',
    createdAt,
    expiresAt: createdAt + 10 * MINUTE_MS,
    state,
    revocable: false,
    ...rest,
  }
}
