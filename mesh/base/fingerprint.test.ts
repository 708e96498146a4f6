import { generateKeyPair } from '@libp2p/crypto/keys'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import fc from 'fast-check'
import { base32upper } from 'multiformats/bases/base32'
import { beforeAll, describe, expect, it } from 'vitest'
import { compareFingerprint, keyFingerprint } from './fingerprint.ts'
import { asId, type DeviceId } from './ids.ts'

const BASE32 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'

describe('the fingerprint of a key', () => {
  let id: DeviceId
  let publicKey: Uint8Array
  let groups: readonly string[]
  beforeAll(async () => {
    const key = await generateKeyPair('Ed25519')
    id = asId<DeviceId>(peerIdFromPrivateKey(key).toString())
    publicKey = key.publicKey.raw
    groups = keyFingerprint(id)
  })

  it('is 8 groups of 7 that hold the whole public key', () => {
    expect(groups.map((group) => group.length)).toEqual([7, 7, 7, 7, 7, 7, 7, 7])
    const withoutChecks = [...groups.join('')].filter((_, at) => at % 14 !== 13).join('')
    expect(withoutChecks).toBe(base32upper.baseEncode(publicKey))
  })

  it('is known again however it is written', () => {
    expect(compareFingerprint(id, ` ${groups.join('-').toLowerCase()}\n`)).toBe('same')
    expect(compareFingerprint(id, groups.slice(0, 7).join(' '))).toBe('incomplete')
    expect(compareFingerprint(id, '')).toBe('incomplete')
  })

  it('of another device is another, not a mistyped one', async () => {
    const other = asId<DeviceId>(peerIdFromPrivateKey(await generateKeyPair('Ed25519')).toString())
    expect(compareFingerprint(other, groups.join(''))).toBe('other')
  })

  it('with one wrong character is mistyped, wherever it is', () => {
    const whole = groups.join('')
    fc.assert(
      fc.property(fc.nat(55), fc.constantFrom(...BASE32), (at, character) => {
        const changed = whole.slice(0, at) + character + whole.slice(at + 1)
        expect(compareFingerprint(id, changed)).toBe(changed === whole ? 'same' : 'mistyped')
      }),
    )
  })

  it('with two neighbours exchanged is mistyped, but for the one pair that Luhn’s rule cannot tell', () => {
    const whole = groups.join('')
    for (let at = 0; at < 55; at++) {
      const [first = '', second = ''] = whole.slice(at, at + 2)
      // across two parts each has its own check; A and 7 weigh the same in either order
      if (first === second || [first, second].sort().join('') === '7A') continue
      const exchanged = whole.slice(0, at) + second + first + whole.slice(at + 2)
      expect([at, compareFingerprint(id, exchanged)]).toEqual([at, 'mistyped'])
    }
  })

  it('with a character that is not of it, or one too many, is mistyped', () => {
    const whole = groups.join('')
    for (const bad of ['0', '1', '8', '!', 'É']) expect(compareFingerprint(id, bad + whole.slice(1))).toBe('mistyped')
    expect(compareFingerprint(id, `${whole}A`)).toBe('mistyped')
  })

  it('is not made of what is no id', () => {
    expect(() => keyFingerprint(asId<DeviceId>('12D3Koo0'))).toThrow(expect.objectContaining({ code: 'malformed' }))
  })
})
