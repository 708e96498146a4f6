import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { isMeshError } from '../../mesh/base/index.ts'
import { readGgufHeader, type GgufHeader } from '../../helper/models/index.ts'
import { tinyGguf } from '../kit/gguf.ts'

const ALLOWED = ['malformed', 'model-invalid', 'too-large']
const SOUND = tinyGguf({ width: 16, layers: 1, heads: 2 })
/** Where the header ends and the weights begin, near enough for aiming. */
const HEADER_BYTES = 14_000

/** The header, or undefined when it was refused as it should be. */
async function read(bytes: Uint8Array): Promise<GgufHeader | undefined> {
  try {
    return await readGgufHeader({
      sizeBytes: bytes.byteLength,
      read: (position, length) => Promise.resolve(bytes.slice(position, position + length)),
    })
  } catch (error) {
    if (isMeshError(error) && ALLOWED.includes(error.code)) return undefined
    throw error
  }
}

function expectSane(header: GgufHeader | undefined): void {
  if (header === undefined) return
  expect(header.contextTokens).toBeGreaterThan(0)
  expect(Number.isSafeInteger(header.parameters)).toBe(true)
  expect(Number.isSafeInteger(header.cacheBytesPerToken)).toBe(true)
}

describe('the header check holds against anything', () => {
  test('random bytes are refused and nothing else happens', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 2_000 }), async (bytes) => {
        expect(await read(bytes)).toBeUndefined()
      }),
      { numRuns: 300 },
    )
  })

  test('random bytes behind a sound beginning are refused, or read as numbers that make sense', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(HEADER_BYTES), fc.uint8Array({ maxLength: 4_000 }), async (keep, tail) => {
        const bytes = new Uint8Array(keep + tail.byteLength)
        bytes.set(SOUND.subarray(0, keep))
        bytes.set(tail, keep)
        expectSane(await read(bytes))
      }),
      { numRuns: 300 },
    )
  })

  test('a sound file with bytes turned over is refused, or read as numbers that make sense', async () => {
    const turn = fc.record({ at: fc.nat(HEADER_BYTES), value: fc.constantFrom(0, 1, 0x7f, 0x80, 0xfe, 0xff) })
    await fc.assert(
      fc.asyncProperty(fc.array(turn, { minLength: 1, maxLength: 12 }), async (turns) => {
        const bytes = SOUND.slice()
        for (const { at, value } of turns) bytes[at] = value
        expectSane(await read(bytes))
      }),
      { numRuns: 1_000 },
    )
  }, 60_000)

  test('every number of the beginning set to its extremes is refused or harmless', async () => {
    for (let at = 0; at < 600; at++) {
      for (const value of [0n, 0xffffffffffffffffn, 1n << 63n, 0x7fffffffn, 0xffffffffn]) {
        const bytes = SOUND.slice()
        new DataView(bytes.buffer).setBigUint64(at, value, true)
        expectSane(await read(bytes))
      }
    }
  }, 60_000)

  test('a sound file is described truly', async () => {
    expect(await read(SOUND)).toMatchObject({
      version: 3,
      architecture: 'llama',
      name: 'Tiny',
      contextTokens: 512,
      layers: 1,
      vocabularyTokens: 356,
      // one layer of keys and values, 16 wide, two bytes each
      cacheBytesPerToken: 64,
    })
  })
})
