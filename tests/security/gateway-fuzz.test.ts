import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { FAKE_MODEL } from '../kit/fake-mesh.ts'
import { createTestGateway, errorOf } from '../kit/gateway.ts'
import { createVirtualClock } from '../kit/clock.ts'

const PATH = '/v1/chat/completions'
const FIELDS = [
  'model',
  'messages',
  'temperature',
  'top_p',
  'seed',
  'max_tokens',
  'max_completion_tokens',
  'presence_penalty',
  'frequency_penalty',
  'stop',
  'n',
  'stream',
  'stream_options',
  'response_format',
  'tool_choice',
  'logprobs',
  'tools',
  '__proto__',
  'constructor',
  'toString',
]
const gateway = createTestGateway({ clock: createVirtualClock() })

/** A 200 is fine where the body happens to be right; everything else is a 4xx in OpenAI's shape. */
async function expectAnswerOrRefusal(body: string | Uint8Array<ArrayBuffer>): Promise<number> {
  const response = await gateway.send(PATH, { body })
  if (response.status === 200) {
    await response.text()
    return 200
  }
  const error = await errorOf(response)
  expect(error.status).toBeGreaterThanOrEqual(400)
  expect(error.status).toBeLessThan(500)
  return error.status
}

const hostileNumber = fc.oneof(
  fc.double(),
  fc.integer(),
  fc.constantFrom(-0, -1, 2 ** 31, 2 ** 32, 2 ** 53, -(2 ** 53), 2 ** 63, 2 ** 64, 1e308, Number.MIN_VALUE),
)
const hostileValue = fc.oneof(
  hostileNumber,
  fc.string({ unit: 'binary' }),
  fc.constantFrom(null, true, false, '', [], {}, [[]], [null], 'NaN', '1', '\u0000', '\ud800', '__proto__'),
  fc.jsonValue({ maxDepth: 4 }),
)

describe('hostile bodies', () => {
  test('of random bytes never get more than a refusal', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 400 }), async (bytes) => {
        expect(await expectAnswerOrRefusal(new Uint8Array(bytes))).toBe(400)
      }),
      { numRuns: 500 },
    )
  })

  test('of random JSON never get more than a refusal', async () => {
    await fc.assert(
      fc.asyncProperty(fc.json({ maxDepth: 6 }), async (body) => {
        expect(await expectAnswerOrRefusal(body)).toBe(400)
      }),
      { numRuns: 500 },
    )
  })

  test('with right names and wrong values never break the gateway', async () => {
    const body = fc.dictionary(fc.constantFrom(...FIELDS), hostileValue, { maxKeys: 8 })
    await fc.assert(
      fc.asyncProperty(body, async (fields) => {
        await expectAnswerOrRefusal(JSON.stringify(fields))
      }),
      { numRuns: 2_000 },
    )
  })

  test('that are right but for some fields never break the gateway, and reach the mesh only in range', async () => {
    const fields = fc.dictionary(fc.constantFrom(...FIELDS.slice(2)), hostileValue, { maxKeys: 3 })
    await fc.assert(
      fc.asyncProperty(fields, async (some) => {
        const before = gateway.mesh.asks.length
        const body = { model: FAKE_MODEL, messages: [{ role: 'user', content: 'x' }], ...some }
        const status = await expectAnswerOrRefusal(JSON.stringify(body))
        const asked = gateway.mesh.asks[before]?.request
        expect(asked !== undefined).toBe(status === 200)
        if (asked === undefined) return
        const {
          temperature = 0,
          topP = 1,
          seed = 0,
          maxTokens = 1,
          presencePenalty = 0,
          frequencyPenalty = 0,
          stop = [],
        } = asked.sampling
        expect(temperature >= 0 && temperature <= 2 && topP > 0 && topP <= 1 && maxTokens >= 1).toBe(true)
        expect([seed, maxTokens].every(Number.isSafeInteger)).toBe(true)
        expect([presencePenalty, frequencyPenalty].every((penalty) => Math.abs(penalty) <= 2)).toBe(true)
        expect(stop.length <= 4 && stop.every((text) => text.length > 0)).toBe(true)
      }),
      { numRuns: 2_000 },
    )
  })

  test('with hostile messages never break the gateway', async () => {
    const part = fc.oneof(
      fc.record({ type: fc.constantFrom('text', 'image_url', 'file'), text: hostileValue }),
      hostileValue,
    )
    const message = fc.oneof(
      fc.record({
        role: fc.constantFrom('user', 'system', 'assistant', 'tool', '__proto__'),
        content: fc.oneof(hostileValue, fc.array(part)),
      }),
      hostileValue,
    )
    await fc.assert(
      fc.asyncProperty(fc.array(message, { maxLength: 5 }), async (messages) => {
        await expectAnswerOrRefusal(JSON.stringify({ model: FAKE_MODEL, messages }))
      }),
      { numRuns: 1_000 },
    )
  })

  test('cut or changed at any byte never break the gateway', async () => {
    const whole = Buffer.from(
      JSON.stringify({
        model: FAKE_MODEL,
        messages: [{ role: 'user', content: 'Grüße 🌍' }],
        stop: ['a'],
        temperature: 0.5,
        stream: true,
      }),
    )
    for (let index = 0; index < whole.length; index++) {
      await expectAnswerOrRefusal(new Uint8Array(whole.subarray(0, index)))
      for (const byte of [0x00, 0xff, 0x22, 0x7b, (whole[index] ?? 0) ^ 0x01]) {
        const changed = new Uint8Array(whole)
        changed[index] = byte
        await expectAnswerOrRefusal(changed)
      }
    }
  })

  const nested = (open: string, close: string, depth: number) => open.repeat(depth) + close.repeat(depth)
  const HEAVY: readonly [string, string][] = [
    ['10,000 lists in each other', nested('[', ']', 10_000)],
    ['a million opened lists', '['.repeat(1_000_000)],
    ['10,000 objects in each other', `${'{"a":'.repeat(10_000)}1${'}'.repeat(10_000)}`],
    ['deep content', `{"model":"${FAKE_MODEL}","messages":[{"role":"user","content":${nested('[', ']', 10_000)}}]}`],
    [
      'deep unknown fields',
      `{"model":"none","messages":[{"role":"user","content":"x"}],"x":${nested('[', ']', 10_000)}}`,
    ],
    ['a million messages', `{"model":"${FAKE_MODEL}","messages":[${'0,'.repeat(999_999)}0]}`],
    [
      'a million stop strings',
      `{"model":"${FAKE_MODEL}","messages":[{"role":"user","content":"x"}],"stop":[${'0,'.repeat(999_999)}0]}`,
    ],
    ['a million parts', `{"model":"${FAKE_MODEL}","messages":[{"role":"user","content":[${'0,'.repeat(999_999)}0]}]}`],
    ['100,000 fields', `{${Array.from({ length: 100_000 }, (_, index) => `"f${String(index)}":0`).join()}}`],
    [
      'a number of a million digits',
      `{"model":"${FAKE_MODEL}","messages":[{"role":"user","content":"x"}],"seed":${'9'.repeat(1_000_000)}}`,
    ],
  ]
  test.each(HEAVY)('%s are refused without a pause', async (_what, body) => {
    const startedAt = performance.now()
    expect([400, 404]).toContain(await expectAnswerOrRefusal(body))
    expect(performance.now() - startedAt).toBeLessThan(2_000)
  })
})
