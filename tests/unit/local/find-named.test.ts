import { expect, test } from 'vitest'
import { findDevice, findDeviceOrPerson, findInvitation, findPerson } from '../../../helper/local/index.ts'
import { asId } from '../../../mesh/base/index.ts'
import { fakePerson } from '../../kit/fake-people.ts'
import { device, fakeHost, PHONE, SELF } from './fake-host.ts'

const desk = device(SELF, 'Desk')
const phone = device(PHONE, 'Ana’s phone')
const phone2 = device(asId('12D3KooWOther'), 'Ana’s phone 2')
const all = [desk, phone, phone2]

test('a device is found by id, by name in any case, and by the beginning of either', () => {
  expect(findDevice(all, PHONE)).toBe(phone)
  expect(findDevice(all, 'desk')).toBe(desk)
  expect(findDevice(all, ' Des ')).toBe(desk)
  expect(findDevice(all, '12D3KooWO')).toBe(phone2)
})

test('a whole name wins over being the beginning of another', () => {
  expect(findDevice(all, 'Ana’s phone')).toBe(phone)
})

test('a beginning that fits several devices is refused and names them', () => {
  expect(() => findDevice(all, 'ana')).toThrow(/fits several devices: .*Ana’s phone .*Ana’s phone 2/)
})

test('what fits no device is refused, well-formed or not', () => {
  for (const text of ['', '  ', 'nobody', '12D3KooWNobody', '☃', 'x'.repeat(5_000)]) {
    expect(() => findDevice(all, text)).toThrow(expect.objectContaining({ code: 'device-unknown' }))
  }
})

const people = [fakePerson('Ana', { own: true }), fakePerson('Anatol'), fakePerson('Desk')]

test('a person is found as a device is', () => {
  expect(findPerson(people, 'ana').name).toBe('Ana')
  expect(findPerson(people, people[1]?.id.slice(0, 8) ?? '').name).toBe('Anatol')
  expect(() => findPerson(people, 'Nobody')).toThrow(/plexus people/)
  expect(() => findPerson(people, 'a'.repeat(300))).toThrow(expect.objectContaining({ code: 'device-unknown' }))
})

test('a name that fits a device and a person is refused: the one would take much more with it', () => {
  expect(() => findDeviceOrPerson(all, people, 'desk')).toThrow(/fits several devices and people/)
  expect(findDeviceOrPerson(all, people, SELF)).toEqual({ kind: 'device', device: desk })
  expect(findDeviceOrPerson(all, people, 'Anat')).toMatchObject({ kind: 'person', person: { name: 'Anatol' } })
})

test('an invitation is found by the beginning of its id', () => {
  const lines = fakeHost().mesh.invitations()
  const id = lines[0]?.id ?? ''
  expect(findInvitation(lines, id.slice(0, 10).toUpperCase())).toBe(id)
  for (const text of ['', ' ', 'zz', 'x'.repeat(5_000)]) {
    expect(() => findInvitation(lines, text)).toThrow(expect.objectContaining({ code: 'invitation-unknown' }))
  }
})
