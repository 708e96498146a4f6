import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { entranceAddresses, networkNames, pageAt, trustPageUrl, type Whereabouts } from '../../../helper/reach/index.ts'
import type { TrustState } from '../../../helper/trust/index.ts'

const authority: TrustState = {
  kind: 'own-authority',
  fingerprint: 'AA',
  certificate: 'PEM',
  file: '/x',
  names: ['plexus.local', '192.168.7.7', '127.0.0.1', 'localhost'],
}
const own: TrustState = { kind: 'own-certificate', names: ['*.example.org', 'home.example.org'] }
const base: Whereabouts = { port: 7539, lan: true, addresses: ['192.168.7.7'], trust: authority }

describe('the page of a place', () => {
  test('is loopback by number for this machine, whatever is open', () => {
    for (const where of [
      base,
      { ...base, lan: false },
      { ...base, trust: own },
      { ...base, publicPage: 'https://p.example/' },
    ])
      expect(pageAt('here', where)).toBe('http://127.0.0.1:7539/')
  })

  test.each<[string, Partial<Whereabouts>, string | undefined]>([
    ['the helper’s own HTTPS', {}, 'https://192.168.7.7:7539/'],
    ['a copy on an HTTPS host before it', { publicPage: 'https://p.example/app/' }, 'https://p.example/app/'],
    [
      'a name of one’s own before both',
      { trust: own, publicPage: 'https://p.example/' },
      'https://home.example.org:7539/',
    ],
    ['nothing while the network is closed', { lan: false }, undefined],
    ['the copy while the network is closed', { lan: false, publicPage: 'https://p.example/' }, 'https://p.example/'],
    ['nothing without a certificate', { trust: { kind: 'off' } }, undefined],
    ['nothing where the certificate names no address of the network', { addresses: ['203.0.113.5'] }, undefined],
    [
      'nothing for a certificate with a wildcard alone',
      { trust: { kind: 'own-certificate', names: ['*.x.org'] } },
      undefined,
    ],
  ])('elsewhere is %s', (_what, change, expected) => {
    expect(pageAt('elsewhere', { ...base, ...change })).toBe(expected)
  })

  test('beyond this machine is never plain HTTP', () => {
    const trusts: TrustState[] = [authority, own, { kind: 'off' }]
    fc.assert(
      fc.property(
        fc.boolean(),
        fc.constantFrom(...trusts),
        fc.array(fc.ipV4(), { maxLength: 4 }),
        fc.constantFrom(undefined, 'https://p.example/', 'https://q.example/app/'),
        (lan, trust, addresses, publicPage) => {
          expect(pageAt('elsewhere', { port: 1, lan, trust, addresses, publicPage }) ?? 'https:').toMatch(/^https:/)
        },
      ),
    )
  })
})

test('the trust page is where there is something to trust', () => {
  expect(trustPageUrl(base)).toBe('http://192.168.7.7:7539/trust')
  for (const change of [{ lan: false }, { trust: own }, { addresses: [] }])
    expect(trustPageUrl({ ...base, ...change })).toBeUndefined()
})

test('a closed network has no names, an open one its addresses and certificates', () => {
  expect(networkNames({ ...base, lan: false })).toEqual([])
  expect(networkNames(base)).toEqual(['192.168.7.7', 'plexus.local'])
  expect(networkNames({ ...base, trust: own })).toContain('home.example.org')
})

test('peers are told TLS where a certificate names the address, and loopback always', () => {
  expect(entranceAddresses({ ...base, addresses: ['192.168.7.7', '203.0.113.5'] })).toEqual([
    '/ip4/192.168.7.7/tcp/7539/tls/ws',
    '/ip4/192.168.7.7/tcp/7539/ws',
    '/ip4/203.0.113.5/tcp/7539/ws',
    '/ip4/127.0.0.1/tcp/7539/ws',
  ])
  expect(entranceAddresses({ ...base, trust: own })[0]).toBe('/dns4/home.example.org/tcp/7539/tls/ws')
  expect(entranceAddresses({ ...base, lan: false })).toEqual(['/ip4/127.0.0.1/tcp/7539/ws'])
})
