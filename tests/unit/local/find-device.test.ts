import { expect, test } from 'vitest'
import { findDevice } from '../../../helper/local/index.ts'
import { asId } from '../../../mesh/base/index.ts'
import { device, PHONE, SELF } from './fake-host.ts'

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
