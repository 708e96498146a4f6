import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { isPublicAddress } from './public-address.ts'

describe('addresses a download may connect to', () => {
  test.each([
    '0.0.0.0',
    '10.1.2.3',
    '100.64.0.1',
    '127.0.0.1',
    '127.255.255.254',
    '169.254.169.254',
    '172.16.0.1',
    '172.31.255.255',
    '192.0.0.8',
    '192.0.2.1',
    '192.168.1.1',
    '198.18.0.1',
    '198.51.100.7',
    '203.0.113.9',
    '224.0.0.1',
    '239.1.1.1',
    '240.0.0.1',
    '255.255.255.255',
    '::',
    '::1',
    '::ffff:8.8.8.8',
    '::ffff:127.0.0.1',
    '64:ff9b::7f00:1',
    '100::1',
    'fc00::1',
    'fd12:3456::1',
    'fe80::1',
    'fe80::1%eth0',
    'ff02::1',
    '2001:db8::1',
    '2001::1',
    '2002:7f00:1::',
    '3fff::1',
    '4000::1',
  ])('%s is refused', (address) => {
    expect(isPublicAddress(address)).toBe(false)
  })

  test.each([
    '1.1.1.1',
    '8.8.8.8',
    '93.184.216.34',
    '172.15.0.1',
    '172.32.0.1',
    '223.255.255.1',
    '2606:4700::1111',
    '2a00:1450:4001::1',
  ])('%s is allowed', (address) => {
    expect(isPublicAddress(address)).toBe(true)
  })

  test.each(['localhost', '127.1', '0x7f000001', '2130706433', '0177.0.0.1', '1.1.1.1 ', '', '[::1]', 'example.org'])(
    'what is not plainly an address is refused: "%s"',
    (text) => {
      expect(isPublicAddress(text)).toBe(false)
    },
  )

  test('no text at all makes it throw, and no private block is ever allowed', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.ipV4(), fc.ipV6()), (text) => {
        const allowed = isPublicAddress(text)
        if (/^(?:0|10|127)\./.test(text) || /^(?:192\.168|169\.254)\./.test(text) || /^(?:f|0|:)/i.test(text)) {
          expect(allowed).toBe(false)
        }
      }),
    )
  })
})
