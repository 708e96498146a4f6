import { expect, test } from 'vitest'
import { createVirtualClock } from '../tests/kit/clock.ts'
import { createEvents, MeshError, silentLogger, type DeviceId, type PersonId } from './base/index.ts'
import type { Membership, Subject } from './identity/index.ts'
import type { Admissions, Links, Waiting } from './net/index.ts'
import { createPendingJoins } from './pending-joins.ts'

const silent = (): void => undefined
const BOB = 'bob' as PersonId

/** Who hears of a join that waits for Bob's word, when Bob's devices are this to `authorize`. */
function hearers(subjects: Readonly<Record<string, Subject>>): string[] {
  const heard: string[] = []
  const changes = createEvents<unknown>(silent)
  const members = Object.keys(subjects).map((id) => ({ id, person: BOB }))
  const waiting = { inviter: BOB, exchanged: {} } as unknown as Waiting
  createPendingJoins({
    membership: {
      self: 'alice',
      members: () => members,
      admitted: () => ({ person: BOB }),
      subject: (id: string) => subjects[id],
    } as unknown as Membership,
    admissions: { changes, comparedHere: () => [waiting] } as unknown as Admissions,
    links: {
      changes: createEvents(silent),
      view: () => ({ state: 'online' }),
      connection(id: DeviceId) {
        heard.push(id)
        throw new MeshError('offline', 'No link in this test.')
      },
    } as unknown as Links,
    events: createEvents(silent) as never,
    clock: createVirtualClock(),
    log: silentLogger,
  })
  changes.emit({ waiting, outcome: 'waiting' })
  return heard
}

test('a join is told to devices of its inviter that may still write it down, and to no others', () => {
  expect(hearers({ phone: 'owner', old: 'removed' })).toEqual(['phone'])
  expect(hearers({ phone: 'member' })).toEqual(['phone'])
  expect(hearers({ phone: 'guest', tablet: 'helper-only' })).toEqual([])
})
