import { describe, expect, test } from 'vitest'
import { MeshError, type ErrorCode } from '../../../mesh/base/index.ts'
import { createVirtualClock, settle } from '../../kit/clock.ts'
import {
  createFakeMesh,
  failing,
  FAKE_DEVICE,
  FAKE_MODEL,
  fakeEnd,
  fakeRoute,
  hanging,
  saying,
} from '../../kit/fake-mesh.ts'
import { createTestGateway, errorOf, readEvents, TEST_TOKEN } from '../../kit/gateway.ts'
import { until } from '../../kit/wait.ts'
import { GATEWAY_LIMITS } from '../../../helper/gateway/index.ts'

interface Chunk {
  id: string
  object: string
  created: number
  model: string
  choices: { index: number; delta: { role?: string; content?: string }; finish_reason: string | null }[]
  usage?: { prompt_tokens: number; completion_tokens: number; total_tokens: number } | null
}

async function chunksOf(
  response: Response,
): Promise<{ chunks: Chunk[]; last: string | undefined; comments: readonly string[] }> {
  const { data, comments } = readEvents(await response.text())
  const chunks = data.filter((payload) => payload !== '[DONE]').map((payload) => JSON.parse(payload) as Chunk)
  return { chunks, last: data.at(-1), comments }
}

describe('a whole answer', () => {
  test('is a chat.completion with text, finish, usage and who answered', async () => {
    const { chat, asks } = createTestGateway()
    const response = await chat()
    expect(response.status).toBe(200)
    expect(response.headers.get('content-type')).toContain('application/json')
    expect(response.headers.get('x-plexus-device')).toBe(FAKE_DEVICE)
    expect(response.headers.get('x-plexus-model')).toBe(FAKE_MODEL)
    expect(response.headers.get('x-plexus-route')).toBe('reason=only-one; path=self')
    expect(response.headers.get('x-request-id')).toMatch(/^req_/)
    const body: unknown = await response.json()
    expect(body).toEqual({
      id: expect.stringMatching(/^chatcmpl-[0-9a-z]{26}$/) as string,
      object: 'chat.completion',
      created: Date.UTC(2026, 0, 1) / 1_000,
      model: FAKE_MODEL,
      choices: [
        {
          index: 0,
          message: { role: 'assistant', content: 'Hello, world.', refusal: null },
          logprobs: null,
          finish_reason: 'stop',
        },
      ],
      usage: { prompt_tokens: 7, completion_tokens: 4, total_tokens: 11, prompt_tokens_details: { cached_tokens: 3 } },
    })
    expect(asks.size).toBe(0)
  })

  test('that was cut at max_tokens says length', async () => {
    const { chat, mesh } = createTestGateway()
    mesh.answerWith(saying(['a'], { finish: 'length' }))
    const body = (await (await chat({ max_tokens: 1 })).json()) as { choices: { finish_reason: string }[] }
    expect(body.choices[0]?.finish_reason).toBe('length')
  })

  test('that breaks off without an end is a 503 and never half a 200', async () => {
    const { chat, mesh } = createTestGateway()
    mesh.answerWith(async function* () {
      await Promise.resolve()
      yield { type: 'text', text: 'half', tokenCount: 1 }
    })
    const response = await chat()
    expect(await errorOf(response)).toMatchObject({ status: 503, code: 'engine_lost' })
    expect(response.headers.get('retry-after')).toBe('2')
  })
})

describe('what reaches the mesh', () => {
  test('is every sampling field in its own words', async () => {
    const { chat, mesh } = createTestGateway()
    await chat({
      temperature: 0.5,
      top_p: 0.9,
      seed: -3,
      max_tokens: 5,
      max_completion_tokens: 6,
      presence_penalty: -2,
      frequency_penalty: 2,
      stop: ['a', 'b'],
      n: 1,
      response_format: { type: 'text' },
    })
    expect(mesh.asks[0]?.request).toEqual({
      model: FAKE_MODEL,
      messages: [{ role: 'user', content: 'Hi' }],
      sampling: {
        temperature: 0.5,
        topP: 0.9,
        seed: -3,
        maxTokens: 6,
        presencePenalty: -2,
        frequencyPenalty: 2,
        stop: ['a', 'b'],
      },
      through: 'gateway',
    })
  })

  test('is nothing a client invents: unknown fields are dropped', async () => {
    const { chat, mesh } = createTestGateway()
    const response = await chat({
      n_discard: -1,
      grammar: 'root ::= "x"',
      device: 'x',
      user: 'me',
      tools: [{}],
      metadata: { a: 1 },
    })
    expect(response.status).toBe(200)
    const request = mesh.asks[0]?.request
    expect(Object.keys(request ?? {}).sort()).toEqual(['messages', 'model', 'sampling', 'through'])
    expect(JSON.stringify(request)).not.toMatch(/n_discard|grammar|device/)
  })

  test('takes null for absent, one stop string for a list, developer for system, and text parts for text', async () => {
    const { chat, mesh } = createTestGateway()
    const response = await chat({
      temperature: null,
      top_p: null,
      seed: null,
      max_tokens: null,
      n: null,
      stream: null,
      response_format: null,
      stop: 'END',
      messages: [
        { role: 'developer', content: 'Be brief.' },
        { role: 'assistant', content: null },
        {
          role: 'user',
          name: 'x',
          content: [
            { type: 'text', text: 'one ' },
            { type: 'text', text: 'two\ud800' },
          ],
        },
      ],
    })
    expect(response.status).toBe(200)
    expect(mesh.asks[0]?.request.messages).toEqual([
      { role: 'system', content: 'Be brief.' },
      { role: 'assistant', content: '' },
      { role: 'user', content: 'one two\ufffd' },
    ])
    expect(mesh.asks[0]?.request.sampling).toEqual({ stop: ['END'] })
  })

  test('max_tokens alone limits, and top_p 0 becomes the smallest share the engine takes', async () => {
    const { chat, mesh } = createTestGateway()
    await chat({ max_tokens: 9, top_p: 0, temperature: 0 })
    expect(mesh.asks[0]?.request.sampling).toEqual({ maxTokens: 9, topP: 1e-6, temperature: 0 })
  })
})

describe('a stream', () => {
  test('begins with the role, carries the text, ends with finish_reason and [DONE]', async () => {
    const { chat, asks } = createTestGateway()
    const response = await chat({ stream: true })
    expect(response.status).toBe(200)
    expect(response.headers.get('content-type')).toBe('text/event-stream; charset=utf-8')
    expect(response.headers.get('x-plexus-device')).toBe(FAKE_DEVICE)
    const { chunks, last } = await chunksOf(response)
    expect(last).toBe('[DONE]')
    expect(chunks[0]?.choices[0]?.delta).toEqual({ role: 'assistant', content: '' })
    expect(chunks.map((chunk) => chunk.choices[0]?.delta.content ?? '').join('')).toBe('Hello, world.')
    expect(chunks.map((chunk) => chunk.choices[0]?.finish_reason)).toEqual([null, null, null, null, null, 'stop'])
    expect(new Set(chunks.map(({ id, object, created, model }) => [id, object, created, model].join())).size).toBe(1)
    expect(chunks[0]?.object).toBe('chat.completion.chunk')
    expect(chunks.every((chunk) => !('usage' in chunk))).toBe(true)
    expect(asks.size).toBe(0)
  })

  test('with include_usage has usage null in every chunk and one last chunk that has it and no choices', async () => {
    const { chat } = createTestGateway()
    const { chunks, last } = await chunksOf(await chat({ stream: true, stream_options: { include_usage: true } }))
    expect(last).toBe('[DONE]')
    expect(chunks.at(-1)).toMatchObject({
      choices: [],
      usage: { prompt_tokens: 7, completion_tokens: 4, total_tokens: 11 },
    })
    expect(chunks.slice(0, -1).every((chunk) => chunk.usage === null)).toBe(true)
  })

  test('that fails before its first text keeps the status of the failure', async () => {
    const { chat, mesh } = createTestGateway()
    mesh.answerWith(async function* () {
      yield { type: 'route', route: fakeRoute() }
      yield { type: 'phase', phase: 'reading', fraction: 0 }
      await Promise.resolve()
      throw new MeshError('engine-context', 'Too long.')
    })
    expect(await errorOf(await chat({ stream: true }))).toMatchObject({ status: 400, code: 'context_length_exceeded' })
  })

  test('that fails after it began ends with an error event and without [DONE]', async () => {
    const { chat, mesh, asks } = createTestGateway()
    mesh.answerWith(async function* () {
      yield { type: 'text', text: 'half', tokenCount: 1 }
      await Promise.resolve()
      throw new MeshError('peer-gone', 'The device vanished.')
    })
    const response = await chat({ stream: true })
    expect(response.status).toBe(200)
    const { data } = readEvents(await response.text())
    expect(JSON.parse(data.at(-1) ?? '')).toEqual({
      error: { message: 'The device vanished.', type: 'server_error', param: null, code: 'peer_gone' },
    })
    expect(data).not.toContain('[DONE]')
    expect(asks.size).toBe(0)
  })

  test('says comments while the prompt is read for long', async () => {
    const clock = createVirtualClock()
    const { chat, mesh } = createTestGateway({ clock })
    let finishPrompt = (): void => {}
    const promptRead = new Promise<void>((resolve) => {
      finishPrompt = resolve
    })
    mesh.answerWith(async function* () {
      yield { type: 'route', route: fakeRoute() }
      yield { type: 'phase', phase: 'reading', fraction: 0.5 }
      await promptRead
      yield { type: 'text', text: 'done', tokenCount: 1 }
      yield fakeEnd(1)
    })
    const pending = chat({ stream: true })
    await clock.advanceAsync(GATEWAY_LIMITS.headersHoldMs)
    const response = await pending
    expect(response.headers.get('x-plexus-model')).toBe(FAKE_MODEL)
    const text = response.text()
    await clock.advanceAsync(GATEWAY_LIMITS.keepAliveMs * 3)
    finishPrompt()
    const { data, comments } = readEvents(await text)
    expect(comments.length).toBeGreaterThanOrEqual(3)
    expect(data.at(-1)).toBe('[DONE]')
  })

  test('whose reader takes nothing for half a minute frees the engine', async () => {
    const clock = createVirtualClock()
    const { chat, mesh, asks } = createTestGateway({ clock })
    mesh.answerWith(saying(Array.from({ length: 100 }, () => 'word ')))
    const response = await chat({ stream: true })
    await settle()
    expect(mesh.asks[0]?.isOver).toBe(false)
    await clock.advanceAsync(GATEWAY_LIMITS.stalledReaderMs)
    await until(() => mesh.asks[0]?.isOver, { what: 'the ask to be over' })
    expect(asks.size).toBe(0)
    await response.body?.cancel()
  })

  test('whose reader cancels stops the ask', async () => {
    const { chat, mesh, asks } = createTestGateway()
    mesh.answerWith(hanging([{ type: 'text', text: 'first', tokenCount: 1 }]))
    const response = await chat({ stream: true })
    const reader = response.body?.getReader()
    await reader?.read()
    await reader?.cancel()
    await until(() => mesh.asks[0]?.isOver, { what: 'the ask to be over' })
    expect(asks.size).toBe(0)
  })
})

describe('a client that goes away', () => {
  test.each([{ stream: false }, { stream: true }])('while the prompt is read stops the ask (%o)', async (fields) => {
    const { chat, mesh, asks } = createTestGateway()
    mesh.answerWith(hanging([{ type: 'phase', phase: 'reading', fraction: 0 }]))
    const client = new AbortController()
    const pending = chat(fields, { signal: client.signal })
    await until(() => mesh.asks.length === 1, { what: 'the ask' })
    client.abort()
    expect((await pending).status).toBe(499)
    expect(mesh.asks[0]?.signal.aborted).toBe(true)
    await until(() => mesh.asks[0]?.isOver, { what: 'the ask to be over' })
    expect(asks.size).toBe(0)
  })
})

describe('failures of the mesh', () => {
  const cases: readonly [ErrorCode, number, string, string][] = [
    ['model-unknown', 404, 'invalid_request_error', 'model_not_found'],
    ['engine-context', 400, 'invalid_request_error', 'context_length_exceeded'],
    ['busy', 429, 'rate_limit_error', 'rate_limit_exceeded'],
    ['model-unavailable', 503, 'server_error', 'model_unavailable'],
    ['offline', 503, 'server_error', 'offline'],
    ['peer-gone', 503, 'server_error', 'peer_gone'],
    ['no-source', 503, 'server_error', 'no_source'],
    ['engine-memory', 503, 'server_error', 'engine_memory'],
    ['timeout', 503, 'server_error', 'timeout'],
    ['refused', 403, 'permission_error', 'refused'],
    ['engine-failed', 500, 'server_error', 'engine_failed'],
    ['bug', 500, 'server_error', 'bug'],
  ]
  test.each(cases)('%s is %i %s %s, as whole and as stream', async (code, status, type, name) => {
    const { chat, mesh } = createTestGateway()
    mesh.answerWith(failing(new MeshError(code, 'A sentence.')))
    for (const stream of [false, true]) {
      const response = await chat({ stream })
      const hasRetry = status === 429 || status === 503
      expect(response.headers.has('retry-after')).toBe(hasRetry)
      expect(await errorOf(response)).toMatchObject({ status, type, code: name })
    }
  })

  test('a told waiting time becomes Retry-After in whole seconds', async () => {
    const { chat, mesh } = createTestGateway()
    mesh.answerWith(failing(new MeshError('busy', 'Full.', { detail: { retryAfterMs: 7_200 } })))
    expect((await chat()).headers.get('retry-after')).toBe('8')
  })

  test('a bug keeps its words to the log', async () => {
    const { chat, mesh } = createTestGateway()
    mesh.answerWith(() => {
      throw new TypeError('secret path')
    })
    const error = await errorOf(await chat())
    expect(error.status).toBe(500)
    expect(error.message).not.toContain('secret')
  })
})

describe('what a request may not be', () => {
  const tooMany = Array.from({ length: 2_049 }, () => ({ role: 'user', content: '' }))
  const cases: readonly [string, Record<string, unknown>, string | null][] = [
    ['no model', { model: undefined }, 'model'],
    ['a model that is a number', { model: 7 }, 'model'],
    ['an empty model', { model: '' }, 'model'],
    ['no messages', { messages: undefined }, 'messages'],
    ['empty messages', { messages: [] }, 'messages'],
    ['messages that are text', { messages: 'Hi' }, 'messages'],
    ['too many messages', { messages: tooMany }, 'messages'],
    ['a message that is null', { messages: [null] }, 'messages[0]'],
    ['a role that is no role', { messages: [{ role: 'constructor', content: '' }] }, 'messages[0].role'],
    ['a tool message', { messages: [{ role: 'tool', content: '' }] }, 'messages[0].role'],
    ['a user without content', { messages: [{ role: 'user' }] }, 'messages[0].content'],
    ['no parts', { messages: [{ role: 'user', content: [] }] }, 'messages[0].content'],
    [
      'an image part',
      { messages: [{ role: 'user', content: [{ type: 'image_url', image_url: { url: 'x' } }] }] },
      'messages[0].content[0]',
    ],
    ['temperature below 0', { temperature: -0.1 }, 'temperature'],
    ['temperature above 2', { temperature: 2.1 }, 'temperature'],
    ['temperature as text', { temperature: '1' }, 'temperature'],
    ['top_p above 1', { top_p: 1.1 }, 'top_p'],
    ['top_p below 0', { top_p: -1 }, 'top_p'],
    ['presence_penalty above 2', { presence_penalty: 2.5 }, 'presence_penalty'],
    ['frequency_penalty below -2', { frequency_penalty: -3 }, 'frequency_penalty'],
    ['a broken seed', { seed: 1.5 }, 'seed'],
    ['a seed of 2^53', { seed: 2 ** 53 }, 'seed'],
    ['max_tokens 0', { max_tokens: 0 }, 'max_tokens'],
    ['max_tokens below 0', { max_tokens: -1 }, 'max_tokens'],
    ['max_tokens of 2^53', { max_tokens: 2 ** 53 }, 'max_tokens'],
    ['max_completion_tokens 1.5', { max_completion_tokens: 1.5 }, 'max_completion_tokens'],
    ['n of 2', { n: 2 }, 'n'],
    ['n of 0', { n: 0 }, 'n'],
    ['stream as text', { stream: 'true' }, 'stream'],
    ['stream_options without stream', { stream_options: { include_usage: true } }, 'stream_options'],
    ['stream_options as a list', { stream: true, stream_options: [] }, 'stream_options'],
    [
      'include_usage as a number',
      { stream: true, stream_options: { include_usage: 1 } },
      'stream_options.include_usage',
    ],
    ['five stop strings', { stop: ['a', 'b', 'c', 'd', 'e'] }, 'stop'],
    ['an empty stop string', { stop: '' }, 'stop'],
    ['a stop that is a number', { stop: 3 }, 'stop'],
    ['an endless stop string', { stop: 'x'.repeat(1_025) }, 'stop'],
    ['json answers', { response_format: { type: 'json_object' } }, 'response_format.type'],
    ['a forced tool', { tool_choice: 'required' }, 'tool_choice'],
    ['logprobs', { logprobs: true }, 'logprobs'],
  ]
  test.each(cases)('%s: 400 that names the field', async (_name, fields, param) => {
    const { chat, mesh } = createTestGateway()
    const error = await errorOf(await chat(fields))
    expect(error).toMatchObject({ status: 400, type: 'invalid_request_error', param, code: 'invalid_value' })
    expect(mesh.asks).toHaveLength(0)
  })

  test('a number beyond all numbers is refused', async () => {
    const { send } = createTestGateway()
    const body = '{"model":"fake-135m","messages":[{"role":"user","content":"x"}],"temperature":1e999}'
    expect(await errorOf(await send('/v1/chat/completions', { body }))).toMatchObject({
      status: 400,
      param: 'temperature',
    })
  })

  test.each(['', '{', 'null', '7', '[]', '"text"', '\u0000', '{"model":'])('the body %j is a 400', async (body) => {
    const { send } = createTestGateway()
    const response = await send('/v1/chat/completions', {
      method: 'POST',
      body,
      headers: { 'content-type': 'application/json' },
    })
    expect(await errorOf(response)).toMatchObject({ status: 400, type: 'invalid_request_error' })
  })

  test('bytes that are no UTF-8 are a 400', async () => {
    const { send } = createTestGateway()
    const response = await send('/v1/chat/completions', { body: new Uint8Array([0x7b, 0xff, 0xfe, 0x7d]) })
    expect(await errorOf(response)).toMatchObject({ status: 400, code: 'invalid_json' })
  })

  test('an unknown model is a 404 that names it', async () => {
    const { chat } = createTestGateway()
    const error = await errorOf(await chat({ model: 'gpt-9' }))
    expect(error).toMatchObject({ status: 404, param: 'model', code: 'model_not_found' })
    expect(error.message).toContain('gpt-9')
  })

  test.each([
    'text/plain',
    'application/x-www-form-urlencoded',
    'multipart/form-data',
    'application/json; charset=latin1',
    'application/jsonp',
    undefined,
  ])('the content type %s is a 415', async (contentType) => {
    const { chat } = createTestGateway()
    const response = await chat({}, { headers: { 'content-type': contentType } })
    expect(await errorOf(response)).toMatchObject({ status: 415 })
  })

  test('a compressed body is a 415', async () => {
    const { chat } = createTestGateway()
    expect((await chat({}, { headers: { 'content-encoding': 'gzip' } })).status).toBe(415)
  })

  test('a declared length above the limit is a 413 before one byte is read', async () => {
    const { chat } = createTestGateway()
    const response = await chat({}, { headers: { 'content-length': String(GATEWAY_LIMITS.bodyBytes + 1) } })
    expect(await errorOf(response)).toMatchObject({ status: 413, code: 'request_too_large' })
  })

  test('an undeclared stream is refused at the first byte above the limit, and cut when it goes on without end', async () => {
    const { send } = createTestGateway()
    let sentBytes = 0
    let wasCancelled = false
    const endless = new ReadableStream({
      pull(controller) {
        sentBytes += 65_536
        controller.enqueue(new Uint8Array(65_536))
      },
      cancel() {
        wasCancelled = true
      },
    })
    const response = await send('/v1/chat/completions', { body: endless })
    expect(response.status).toBe(413)
    const atMost = GATEWAY_LIMITS.bodyBytes + GATEWAY_LIMITS.discardBytes + 4 * 65_536
    await until(() => wasCancelled, { what: 'the stream to be cut' })
    expect(sentBytes).toBeLessThan(atMost)
  })

  test('a wrong token is a 401 although the body is never looked at', async () => {
    const { send } = createTestGateway()
    let wasRead = false
    const body = new ReadableStream(
      {
        pull(controller) {
          wasRead = true
          controller.error(new TypeError('the body was read'))
        },
      },
      { highWaterMark: 0 },
    )
    const response = await send('/v1/chat/completions', { body, headers: { authorization: `Bearer ${TEST_TOKEN}x` } })
    expect(await errorOf(response)).toMatchObject({ status: 401, code: 'invalid_api_key' })
    expect(response.headers.get('www-authenticate')).toContain('Bearer')
    expect(wasRead).toBe(false)
  })
})

test('a mesh that has no model answers 404 for every one', async () => {
  const { chat } = createTestGateway({ mesh: createFakeMesh({ models: [] }) })
  expect((await chat()).status).toBe(404)
})
