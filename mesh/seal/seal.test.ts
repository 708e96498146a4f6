import { createPrivateKey, createPublicKey } from 'node:crypto'
import fc from 'fast-check'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { createSeededRandom } from '../../tests/kit/random.ts'
import {
  BOX_OVERHEAD_BYTES,
  createSealingKeyPair,
  openSealed,
  SEALED_OVERHEAD_BYTES,
  sealTo,
  secretKey,
  type SecretKey,
} from './index.ts'

const random = createSeededRandom(1)
const bytes = fc.uint8Array({ maxLength: 200 })
const text = (value: string): Uint8Array => new TextEncoder().encode(value)

afterEach(() => {
  vi.unstubAllGlobals()
})

const withoutWebCrypto = (key: Uint8Array): Promise<SecretKey> => {
  vi.stubGlobal('crypto', { subtle: undefined })
  return secretKey(key).finally(() => {
    vi.unstubAllGlobals()
  })
}

describe('a box', () => {
  test('opens with its key and context to what was sealed, with WebCrypto and without, each the other’s', async () => {
    const raw = random.bytes(32)
    const [web, plain] = [await secretKey(raw), await withoutWebCrypto(raw)]
    await fc.assert(
      fc.asyncProperty(bytes, bytes, fc.boolean(), async (message, context, flip) => {
        const [one, other] = flip ? [web, plain] : [plain, web]
        const box = await one.seal(message, context, random)
        expect(box.byteLength).toBe(message.byteLength + BOX_OVERHEAD_BYTES)
        expect(await other.open(box, context)).toEqual(new Uint8Array(message))
      }),
      { numRuns: 40 },
    )
  })

  test('with one bit changed, another context or another key it does not open', async () => {
    for (const make of [secretKey, withoutWebCrypto]) {
      const raw = random.bytes(32)
      const key = await make(raw)
      const box = await key.seal(text('hello'), text('here'), random)
      for (let index = 0; index < box.byteLength; index++) {
        const changed = box.slice()
        changed[index] = (changed[index] ?? 0) ^ 1
        await expect(key.open(changed, text('here'))).rejects.toMatchObject({ code: 'integrity' })
      }
      await expect(key.open(box, text('there'))).rejects.toMatchObject({ code: 'integrity' })
      await expect((await make(random.bytes(32))).open(box, text('here'))).rejects.toMatchObject({ code: 'integrity' })
      await expect(key.open(box.subarray(0, BOX_OVERHEAD_BYTES - 1), text('here'))).rejects.toMatchObject({
        code: 'integrity',
      })
    }
  })
})

describe('sealing to a device', () => {
  const alice = createSealingKeyPair(random)
  const mallory = createSealingKeyPair(random)

  test('only the holder of the key opens it, for the purpose it was sealed for', async () => {
    const sealed = await sealTo(alice.publicKey, text('secret'), text('epoch'))
    expect(sealed.byteLength).toBe(6 + SEALED_OVERHEAD_BYTES)
    expect(await openSealed(alice, sealed, text('epoch'))).toEqual(text('secret'))
    await expect(openSealed(mallory, sealed, text('epoch'))).rejects.toMatchObject({ code: 'integrity' })
    await expect(openSealed(alice, sealed, text('export'))).rejects.toMatchObject({ code: 'integrity' })
    await expect(openSealed(alice, sealed.subarray(0, 40), text('epoch'))).rejects.toMatchObject({ code: 'integrity' })
  })

  test('the same words sealed twice look different', async () => {
    const [one, two] = await Promise.all([0, 1].map(() => sealTo(alice.publicKey, text('same'), text(''))))
    expect(one).not.toEqual(two)
  })

  test('a key that is no point anybody holds, or of the wrong length, is refused', async () => {
    for (const key of [new Uint8Array(32), new Uint8Array(31)]) {
      await expect(sealTo(key, text('x'), text(''))).rejects.toMatchObject({ code: 'malformed' })
    }
  })

  test('a key pair is the one that another implementation makes of the same private key', () => {
    const pair = createSealingKeyPair(random)
    const der = Buffer.concat([Buffer.from('302e020100300506032b656e04220420', 'hex'), pair.privateKey])
    const key = createPublicKey(createPrivateKey({ key: der, format: 'der', type: 'pkcs8' }))
    expect(new Uint8Array(key.export({ format: 'der', type: 'spki' }).subarray(-32))).toEqual(pair.publicKey)
  })
})
