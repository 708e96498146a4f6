import { createPrivateKey, createPublicKey, hkdfSync, sign } from 'node:crypto'
import { ed25519 } from '@noble/curves/ed25519.js'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createSeededRandom } from '../../tests/kit/random.ts'
import { combineShares, readShare, secretOf, splitSecret, SHARES } from './recovery-shares.ts'
import { createRecoverySecret, recoveryKeys, secretToWords, wordsToSecret } from './recovery.ts'

const FULL = process.env['PLEXUS_TEST_FULL'] === '1'
const random = createSeededRandom('recovery')
const secrets = fc.uint8Array({ minLength: 16, maxLength: 16 })

describe('the twelve words', () => {
  test('are those of the published vectors of BIP-39', async () => {
    for (const [hex, words] of [
      ['00000000000000000000000000000000', `${'abandon '.repeat(11)}about`],
      [
        '7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f',
        'legal winner thank year wave sausage worth useful legal winner thank yellow',
      ],
      [
        '9e885d952ad362caeb4efe34a8e91bd2',
        'ozone drill grab fiber curtain grace pudding thank cruise elder eight picnic',
      ],
    ] as const) {
      expect(await secretToWords(Uint8Array.from(Buffer.from(hex, 'hex')))).toBe(words)
      expect(Buffer.from(await wordsToSecret(words)).toString('hex')).toBe(hex)
    }
  })

  test('come back to the secret however they were written down', async () => {
    await fc.assert(
      fc.asyncProperty(secrets, async (secret) => {
        const words = (await secretToWords(secret)).split(' ')
        const ways = [
          words.join(' '),
          words.map((word, at) => `${String(at + 1)}. ${word.toUpperCase()}`).join('\n'),
          words.map((word) => word.slice(0, 4)).join(', '),
        ]
        for (const way of ways) expect(new Uint8Array(await wordsToSecret(way))).toEqual(new Uint8Array(secret))
      }),
      { numRuns: FULL ? 5_000 : 100 },
    )
  })

  test('are refused with what is wrong: their number, one that is none, a place changed', async () => {
    const words = (await secretToWords(createRecoverySecret(random))).split(' ')
    await expect(wordsToSecret(words.slice(1).join(' '))).rejects.toThrow('These are 11 words; there are twelve.')
    await expect(wordsToSecret('')).rejects.toThrow('These are 0 words')
    await expect(wordsToSecret([...words.slice(0, 11), 'heron'].join(' '))).rejects.toThrow(
      'Word 12 is none of the list: “heron”',
    )
    await expect(wordsToSecret('abandon '.repeat(12))).rejects.toThrow('do not belong together')
    await expect(wordsToSecret('x '.repeat(1_000_000))).rejects.toThrow('words; there are twelve')
    for (const wrong of ['abandonx', 'aba', 'ABANDONED']) {
      await expect(wordsToSecret([wrong, ...words.slice(1)].join(' '))).rejects.toThrow('Word 1 is none')
    }
  })
})

describe('the recovery keys', () => {
  test('are the same wherever the words are typed, and those another implementation makes', async () => {
    const secret = createRecoverySecret(random)
    const keys = recoveryKeys(secret)
    const message = new TextEncoder().encode('it is me')
    expect(ed25519.verify(keys.sign.sign(message), message, keys.sign.publicKey)).toBe(true)
    const again = recoveryKeys(await wordsToSecret(await secretToWords(secret)))
    expect(again.sign.publicKey).toEqual(keys.sign.publicKey)
    expect(again.seal).toEqual(keys.seal)

    const seed = Buffer.from(hkdfSync('sha256', secret, '', 'plexus recovery sign v1', 32))
    const der = Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), seed])
    const key = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' })
    expect(new Uint8Array(sign(null, message, key))).toEqual(keys.sign.sign(message))
    const spki = createPublicKey(key).export({ format: 'der', type: 'spki' })
    expect(new Uint8Array(spki.subarray(-32))).toEqual(keys.sign.publicKey)
    expect(new Uint8Array(hkdfSync('sha256', secret, '', 'plexus recovery seal v1', 32))).toEqual(keys.seal.privateKey)
  })
})

describe('the shares', () => {
  test('any two of three, in any order and however written, are the secret; one is not', async () => {
    await fc.assert(
      fc.asyncProperty(secrets, async (secret) => {
        const shares = (await splitSecret(secret, random)).map(({ text }) => text)
        expect(shares).toHaveLength(SHARES)
        const [a = '', b = '', c = ''] = shares
        for (const some of [
          [a, b],
          [c, a],
          [b, c],
          [c, b, a],
          [a.toLowerCase(), b.replaceAll('-', ' ')],
        ]) {
          expect(await combineShares(some)).toEqual(new Uint8Array(secret))
        }
        await expect(combineShares([a])).rejects.toMatchObject({ code: 'usage' })
        await expect(combineShares([])).rejects.toMatchObject({ code: 'usage' })
        await expect(combineShares([a, a])).rejects.toMatchObject({ code: 'usage' })
      }),
      { numRuns: FULL ? 1_000 : 30 },
    )
  })

  test('say their number and set, and read O as 0 and I and L as 1', async () => {
    const shares = await splitSecret(createRecoverySecret(random), random)
    for (const share of shares) {
      expect(share.text).toMatch(/^(?:[0-9A-HJKMNP-TV-Z]{4}-){11}[0-9A-HJKMNP-TV-Z]{4}$/)
      expect(readShare(share.text.replaceAll('0', 'o').replaceAll('1', 'l'))).toEqual(share)
    }
    expect(shares.map(({ number }) => number)).toEqual([1, 2, 3])
    expect(new Set(shares.map(({ set }) => set)).size).toBe(1)
  })

  test('of two sets, even of the same secret, are not mixed', async () => {
    const secret = createRecoverySecret(random)
    const [one, other] = [await splitSecret(secret, random), await splitSecret(secret, random)]
    await expect(combineShares([one[0]?.text ?? '', other[1]?.text ?? ''])).rejects.toMatchObject({
      code: 'conflict',
      message: expect.stringContaining(one[0]?.set ?? '') as string,
    })
  })

  test('of two sets with the same name give no wrong secret', async () => {
    const same = { bytes: (length: number) => new Uint8Array(length) }
    const [one, other] = [
      await splitSecret(createRecoverySecret(random), same),
      await splitSecret(createRecoverySecret(random), same),
    ]
    await expect(combineShares([one[0]?.text ?? '', other[1]?.text ?? ''])).rejects.toMatchObject({ code: 'malformed' })
  })

  test('with any one character changed, lost, doubled or swapped are refused', async () => {
    const [share, second] = await splitSecret(createRecoverySecret(random), random)
    const text = (share?.text ?? '').replaceAll('-', '')
    for (let at = 0; at < text.length; at++) {
      const changed = text[at] === 'Z' ? 'Y' : 'Z'
      const next = text[at + 1] ?? ''
      const ways = [
        text.slice(0, at) + changed + text.slice(at + 1),
        text.slice(0, at) + text.slice(at + 1),
        text.slice(0, at) + text.slice(at, at + 1) + text.slice(at),
        ...(next === '' || next === text[at] ? [] : [text.slice(0, at) + next + (text[at] ?? '') + text.slice(at + 2)]),
      ]
      for (const way of ways) {
        expect(() => readShare(way), way).toThrow(expect.objectContaining({ code: 'malformed' }) as Error)
        await expect(combineShares([way, second?.text ?? ''])).rejects.toMatchObject({ code: 'malformed' })
      }
    }
  })

  test('whatever is typed ends in a share or in a sentence', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.oneof(fc.string({ maxLength: 80 }), base32, fc.string({ unit: 'binary' })), { maxLength: 4 }),
        async (texts) => {
          await expect(combineShares(texts)).rejects.toMatchObject({ name: 'MeshError' })
        },
      ),
      { numRuns: FULL ? 100_000 : 500 },
    )
  })
})

const base32 = fc.string({
  unit: fc.constantFrom(...'0123456789ABCDEFGHJKMNPQRSTVWXYZ'),
  minLength: 48,
  maxLength: 48,
})

describe('what a person kept', () => {
  test('is known for words or parts by itself, however it was typed in', async () => {
    await fc.assert(
      fc.asyncProperty(secrets, fc.constantFrom('\n', ' ', '-', ', ', '\r\n\r\n'), async (secret, between) => {
        const [one, , three] = await splitSecret(secret, random)
        const parts = [one, three]
          .map((share) => share?.text.replaceAll('-', between).toLowerCase() ?? '')
          .join(between)
        const words = (await secretToWords(secret)).replaceAll(' ', between)
        for (const text of [parts, words]) expect(new Uint8Array(await secretOf(text))).toEqual(new Uint8Array(secret))
      }),
      { numRuns: FULL ? 2_000 : 50 },
    )
  })

  test('whatever is typed, it is a secret or refused with a sentence, and never anything else', async () => {
    const known = ['malformed', 'usage', 'conflict', 'unsupported', 'too-large']
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(fc.string({ maxLength: 300 }), fc.stringMatching(/^[0-9A-Z\s-]{0,200}$/)),
        async (text) => {
          const said = await secretOf(text).catch((error: unknown) => (error as { code: string }).code)
          expect(typeof said === 'string' ? known : [said.byteLength]).toContain(typeof said === 'string' ? said : 16)
        },
      ),
      { numRuns: FULL ? 20_000 : 500 },
    )
    await expect(secretOf('1'.repeat(2_001))).rejects.toMatchObject({ code: 'too-large' })
  })
})
