import { expect, test } from 'vitest'
import { authorize, everyAction, SUBJECTS, type Action } from './authorize.ts'

// every cell, by hand: what the product promises, read as a table.
// x: may. A row is an action and what it is done to, seen from who does it.
const MATRIX = `
                                       owner member helper-only guest removed stranger
  ask             own-device             x     x        .         x      .       .
  ask             other-device           x     x        .         x      .       .
  answer          own-device             x     x        x         .      .       .
  answer          other-device           x     x        x         .      .       .
  relay           own-device             x     x        x         .      .       .
  relay           other-device           x     x        x         .      .       .
  be-relayed      own-device             x     x        x         .      .       .
  be-relayed      other-device           x     x        x         .      .       .
  hint            self                   x     x        x         .      .       .
  hint            other-device           x     x        x         .      .       .
  locate          answering-device       x     x        x         x      .       .
  locate          other-device           x     x        x         .      .       .
  report          join                   x     x        .         .      .       .
  report          knock                  x     x        x         .      .       .
  tell-ledger     mesh                   x     x        x         .      .       .
  gateway         own-device             x     x        .         .      .       .
  gateway         other-device           .     .        .         .      .       .
  read-ledger     mesh                   x     x        x         x      .       .
  read            mesh                   x     x        .         .      .       .
  read            own-person             x     x        .         .      .       .
  read            other-person           .     .        .         .      .       .
  read            own-room               x     x        .         .      .       .
  read            other-room             .     .        .         .      .       .
  write           mesh                   x     x        .         .      .       .
  write           own-person             x     x        .         .      .       .
  write           other-person           .     .        .         .      .       .
  write           own-room               x     x        .         .      .       .
  write           other-room             .     .        .         .      .       .
  store           mesh                   x     x        x         .      .       .
  store           own-person             x     x        x         .      .       .
  store           other-person           x     x        x         .      .       .
  store           own-room               x     x        x         .      .       .
  store           other-room             x     x        x         .      .       .
  admit           own-device             x     x        .         .      .       .
  admit           other-device           .     .        .         .      .       .
  admit           new-person             x     .        .         .      .       .
  admit-proven    own-invitation         x     x        .         .      .       .
  admit-proven    other-invitation       x     x        .         .      .       .
  admit-proven    recovery               x     x        .         .      .       .
  certify         self                   x     x        x         .      .       .
  certify         other-device           .     .        .         .      .       .
  revoke          self                   x     x        x         .      .       .
  revoke          own-device             x     x        .         .      .       .
  revoke          other-device           x     .        .         .      .       .
  revoke          own-person             x     x        .         .      .       .
  revoke          other-person           x     .        .         .      .       .
  role            own-person             x     .        .         .      .       .
  role            other-person           x     .        .         .      .       .
  rename          self                   x     x        x         .      .       .
  rename          own-device             x     x        .         .      .       .
  rename          other-device           x     .        .         .      .       .
  rename          own-person             x     x        .         .      .       .
  rename          other-person           x     .        .         .      .       .
  rename          mesh                   x     .        .         .      .       .
  invite          own-device             x     x        .         .      .       .
  invite          new-owner              x     .        .         .      .       .
  invite          new-member             x     .        .         .      .       .
  invite          new-helper-only        x     .        .         .      .       .
  invite          new-guest              x     .        .         .      .       .
  invite          other-person           .     .        .         .      .       .
  invite-revoked  own                    x     x        .         .      .       .
  invite-revoked  other                  x     .        .         .      .       .
  recovery        own-person             x     x        .         .      .       .
  rotate          mesh                   x     x        .         .      .       .
  rotate          own-person             x     x        .         .      .       .
  rotate          other-person           .     .        .         .      .       .
  rotate          own-room               x     x        .         .      .       .
  rotate          other-room             .     .        .         .      .       .
  share           mesh                   x     x        .         .      .       .
  share           own-person             x     x        .         .      .       .
  share           other-person           .     .        .         .      .       .
  share           own-room               x     x        .         .      .       .
  share           other-room             .     .        .         .      .       .
  room            with-self              x     x        .         .      .       .
  room            without-self           .     .        .         .      .       .
  room-add        own-room               x     x        .         .      .       .
  room-add        other-room             .     .        .         .      .       .
  room-leave      own-room               x     x        .         .      .       .
  room-leave      other-room             .     .        .         .      .       .
  room-remove     made-room              x     x        .         .      .       .
  room-remove     own-room               x     .        .         .      .       .
  room-remove     other-room             .     .        .         .      .       .
`

const [heading = '', ...rows] = MATRIX.split('\n').filter((line) => line.trim() !== '')
const subjects = heading.trim().split(/\s+/)
const cells = rows.flatMap((row) => {
  const [action = '', object = '', ...marks] = row.trim().split(/\s+/)
  return marks.map((mark, index) => ({ subject: subjects[index] ?? '', action, object, may: mark === 'x' }))
})

const ask = authorize as (subject: string, action: string, object: string) => ReturnType<typeof authorize>

test('every cell of role, action and object is as it is written', () => {
  for (const { subject, action, object, may } of cells)
    expect([subject, action, object, ask(subject, action, object).allowed]).toEqual([subject, action, object, may])
  expect(cells.length).toBeGreaterThanOrEqual(300)
})

test('the table leaves out no subject, action or object, and names none that is not there', () => {
  const written = new Set(cells.map(({ subject, action, object }) => `${subject} ${action} ${object}`))
  const there = everyAction().flatMap(({ action, objects }) =>
    objects.flatMap((object) => SUBJECTS.map((subject) => `${subject} ${action} ${object}`)),
  )
  expect([...written].sort()).toEqual(there.sort())
})

test('a refusal says why: nobody’s, no more, not with this role, or not yours', () => {
  const reason = (subject: (typeof SUBJECTS)[number], action: Action, object: string): unknown => {
    const verdict = ask(subject, action, object)
    return verdict.allowed ? undefined : verdict.reason
  }
  expect(reason('stranger', 'ask', 'own-device')).toBe('not-admitted')
  expect(reason('removed', 'ask', 'own-device')).toBe('removed')
  expect(reason('guest', 'read', 'mesh')).toBe('role')
  expect(reason('member', 'revoke', 'other-device')).toBe('not-yours')
  expect(reason('owner', 'read', 'other-person')).toBe('not-yours')
})
