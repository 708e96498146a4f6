import { expect, test } from 'vitest'
import { createEvents, silentLogger, type DeviceId, type PersonId } from './base/index.ts'
import type { Membership, Subject } from './identity/index.ts'
import type { Admissions, Links } from './net/index.ts'
import { createPendingJoins } from './pending-joins.ts'

const silent = (): void => undefined
const BOB = 'bob' as PersonId

/** Who hears of a join that waits for Bob's word, when Bob's devices are this to `authorize`. */
function hearers(subjects: Readonly<Record<string, Subject>>): string[] {
  const heard: string[] = []
  const changes = createEvents<unknown>(silent)
  const members = Object.keys(subjects).map((id) => ({ id, person: BOB }))
  createPendingJoins({
    membership: {
      self: 'alice',
      members: () => members,
      admitted: () => undefined,
      subject: (id: string) => subjects[id],
    } as unknown as Membership,
    admissions: { changes, waitingHere: () => [] } as unknown as Admissions,
    links: {
      ...{ changes: createEvents(silent), frames: createEvents(silent) },
      send: (_frame: unknown, to?: DeviceId) => heard.push(String(to)),
    } as unknown as Links,
    events: createEvents(silent) as never,
    log: silentLogger,
  })
  changes.emit({ waiting: { inviter: BOB }, outcome: 'waiting' })
  return heard
}

test('a join is told to devices of its inviter that may still write it down, and to no others', () => {
  expect(hearers({ phone: 'owner', old: 'removed' })).toEqual(['phone'])
  expect(hearers({ phone: 'member' })).toEqual(['phone'])
  expect(hearers({ phone: 'guest', tablet: 'helper-only' })).toEqual([])
})
