import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import * as z from 'zod/mini'
import { isMeshError } from '../../mesh/base/index.ts'
import { answerFrame, ask, askerFrame } from '../../mesh/net/protocols/infer/messages.ts'
import { controlFrame, hello, proofFrame, reception } from '../../mesh/net/protocols/control/messages.ts'
import { prove, verdict } from '../../mesh/net/protocols/join/messages.ts'
import { fetcherFrame, giverFrame } from '../../mesh/net/protocols/ledger/messages.ts'
import { decode, encode } from '../../mesh/wire/index.ts'

const LIMITS = { maxBytes: 64 * 1024, what: 'A frame' }
const SCHEMAS: Readonly<Record<string, z.ZodMiniType>> = {
  ask,
  askerFrame,
  answerFrame,
  hello,
  controlFrame,
  prove,
  verdict,
  reception,
  proofFrame,
  fetcherFrame,
  giverFrame,
}

const frame = {
  type: 'ask',
  id: 'abc',
  model: 'm',
  messages: [{ role: 'user', content: 'Hello' }],
  sampling: { temperature: 0.5, stop: ['\n'] },
  credit: 64,
}

test('a frame reads back as it was written, without fields nobody knows', () => {
  expect(decode(encode({ ...frame, extra: undefined, unknown: 1 }), ask, LIMITS)).toEqual(frame)
})

test.each([
  ['an unknown role', { ...frame, messages: [{ role: 'tool', content: '' }] }],
  ['a temperature above 2', { ...frame, sampling: { temperature: 2.1 } }],
  ['no message', { ...frame, messages: [] }],
  ['five stop strings', { ...frame, sampling: { stop: ['a', 'b', 'c', 'd', 'e'] } }],
  ['a number of tokens below 1', { ...frame, sampling: { maxTokens: 0 } }],
  ['another type', { ...frame, type: 'end' }],
])('%s is refused', (_, wrong) => {
  expect(() => decode(encode(wrong), ask, LIMITS)).toThrow(/wrong field/)
})

test('a frame over its bound is refused before it is decoded', () => {
  expect(() => decode(new Uint8Array(LIMITS.maxBytes + 1), ask, LIMITS)).toThrow(
    expect.objectContaining({ code: 'too-large' }),
  )
})

test('twenty thousand levels of nesting are refused, not followed', () => {
  expect(() => decode(new Uint8Array(20_000).fill(0x81), z.unknown(), LIMITS)).toThrow(
    expect.objectContaining({ code: 'malformed' }),
  )
})

test.each(Object.keys(SCHEMAS))(
  '%s: hostile bytes are refused as malformed or too large, and nothing else happens',
  (name) => {
    const schema = SCHEMAS[name] ?? z.never()
    const valid = encode(frame)
    const mutant = fc.tuple(fc.nat(valid.length - 1), fc.nat(255), fc.nat(valid.length)).map(([at, value, length]) => {
      const bytes = valid.slice(0, length)
      if (at < bytes.length) bytes[at] = value
      return bytes
    })
    const structured = fc
      .object({
        maxDepth: 4,
        values: [
          fc.string(),
          fc.integer(),
          fc.double({ noNaN: true, noDefaultInfinity: true }),
          fc.boolean(),
          fc.constant(null),
          fc.uint8Array(),
        ],
      })
      .map(encode)
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 300 }), mutant, structured), (bytes) => {
        try {
          decode(bytes, schema, LIMITS)
        } catch (error) {
          expect(isMeshError(error, 'malformed') || isMeshError(error, 'too-large')).toBe(true)
        }
      }),
      { numRuns: 500 },
    )
  },
)
