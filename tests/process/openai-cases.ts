import OpenAI from 'openai'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { GATEWAY_LIMITS } from '../../helper/gateway/index.ts'
import { until } from '../kit/wait.ts'

/** What the model of a target says, over and over, when it is greedy. */
export const RECITED = 'abcdefghijklmnopqrstuvwxyz'

/** Something with an OpenAI API whose only model recites {@link RECITED}. */
export interface OpenAiTarget {
  readonly url: string
  readonly token: string
  stop(): Promise<unknown>
}

/** The cases every OpenAI client must pass, with the npm client. */
export function openAiCases(start: () => Promise<OpenAiTarget>): void {
  let target: OpenAiTarget | undefined
  let client: OpenAI
  let model = ''
  const messages: OpenAI.ChatCompletionMessageParam[] = [{ role: 'user', content: 'Say it.' }]

  let url = ''

  beforeAll(async () => {
    target = await start()
    url = target.url
    client = new OpenAI({ baseURL: `${url}/v1`, apiKey: target.token, maxRetries: 0 })
    model = (await client.models.list()).data[0]?.id ?? ''
  })
  afterAll(() => target?.stop())

  const failure = async (work: Promise<unknown>): Promise<InstanceType<typeof OpenAI.APIError>> => {
    const thrown: unknown = await work.then(
      () => undefined,
      (error: unknown) => error,
    )
    if (!(thrown instanceof OpenAI.APIError)) throw new TypeError(`Not an error of the API: ${String(thrown)}`)
    return thrown
  }

  test('models are listed, and one is found by its id', async () => {
    const one = await client.models.retrieve(model)
    expect(one).toMatchObject({ id: model, object: 'model', owned_by: 'plexus' })
    expect(one.created).toBeGreaterThan(1_500_000_000)
  })

  test('a chat is answered whole, with counts that add up and the name of who answered', async () => {
    const { data, response } = await client.chat.completions
      .create({ model, messages, temperature: 0, max_tokens: 5, seed: 1 })
      .withResponse()
    expect(data.choices[0]).toMatchObject({ finish_reason: 'length', message: { role: 'assistant' } })
    expect(RECITED.repeat(2)).toContain(data.choices[0]?.message.content)
    expect(data.usage?.completion_tokens).toBe(5)
    expect(data.usage?.total_tokens).toBe((data.usage?.prompt_tokens ?? 0) + 5)
    expect(response.headers.get('x-plexus-device')).toMatch(/^12D3KooW/)
    expect(response.headers.get('x-plexus-model')).toBe(model)
  })

  test('a stream says the same as the whole answer', async () => {
    const question = { model, messages, temperature: 0, max_completion_tokens: 12, seed: 1 }
    const whole = await client.chat.completions.create(question)
    const stream = await client.chat.completions.create({ ...question, stream: true })
    let text = ''
    const finishes: string[] = []
    for await (const { choices, usage } of stream) {
      text += choices[0]?.delta.content ?? ''
      if (choices[0]?.finish_reason) finishes.push(choices[0].finish_reason)
      expect(usage).toBeFalsy()
    }
    expect(text).toBe(whole.choices[0]?.message.content)
    expect(text).toHaveLength(12)
    expect(finishes).toEqual(['length'])
  })

  test('the helper of the client that gathers a stream finds role, text and usage', async () => {
    const runner = client.chat.completions.stream({
      model,
      messages,
      temperature: 0,
      max_tokens: 4,
      stream_options: { include_usage: true },
    })
    const final = await runner.finalChatCompletion()
    expect(final.choices[0]?.message.role).toBe('assistant')
    expect(final.choices[0]?.message.content).toHaveLength(4)
    expect(final.usage?.completion_tokens).toBe(4)
  })

  test('a stop string ends the text before it, also across tokens, as string and as list', async () => {
    const full = await client.chat.completions.create({ model, messages, temperature: 0, max_tokens: 20 })
    const text = full.choices[0]?.message.content ?? ''
    const stop = text.slice(8, 11)
    for (const given of [stop, ['never said', stop]]) {
      const { choices } = await client.chat.completions.create({
        model,
        messages,
        temperature: 0,
        max_tokens: 40,
        stop: given,
      })
      expect(choices[0]).toMatchObject({ finish_reason: 'stop', message: { content: text.slice(0, 8) } })
    }
  })

  test('text parts, penalties, top_p, seed, n and response_format are taken', async () => {
    const { choices } = await client.chat.completions.create({
      model,
      messages: [
        { role: 'developer', content: 'Be brief.' },
        {
          role: 'user',
          content: [
            { type: 'text', text: 'Say ' },
            { type: 'text', text: 'it.' },
          ],
        },
      ],
      temperature: 0.7,
      top_p: 0.9,
      presence_penalty: 0.1,
      frequency_penalty: -0.1,
      seed: 42,
      n: 1,
      max_tokens: 3,
      response_format: { type: 'text' },
      user: 'someone',
      logit_bias: {},
    })
    expect(choices).toHaveLength(1)
  })

  test('a wrong field is a BadRequestError that names it', async () => {
    const error = await failure(client.chat.completions.create({ model, messages, temperature: 3 }))
    expect(error).toBeInstanceOf(OpenAI.BadRequestError)
    expect(error).toMatchObject({ status: 400, param: 'temperature', type: 'invalid_request_error' })
    expect(error.message).toContain('temperature')
    expect(await failure(client.chat.completions.create({ model, messages, n: 2 }))).toMatchObject({
      status: 400,
      param: 'n',
    })
  })

  test('a wrong token is an AuthenticationError', async () => {
    const error = await failure(
      new OpenAI({ baseURL: `${url}/v1`, apiKey: 'wrong', maxRetries: 0 }).models.list().then(),
    )
    expect(error).toBeInstanceOf(OpenAI.AuthenticationError)
    expect(error).toMatchObject({ status: 401, code: 'invalid_api_key' })
  })

  test('an unknown model is a NotFoundError', async () => {
    for (const work of [
      client.chat.completions.create({ model: 'gpt-9', messages }),
      client.models.retrieve('gpt-9'),
    ]) {
      const error = await failure(work)
      expect(error).toBeInstanceOf(OpenAI.NotFoundError)
      expect(error).toMatchObject({ code: 'model_not_found', param: 'model' })
    }
  })

  test('a body that is too large is a 413', async () => {
    const content = 'x'.repeat(GATEWAY_LIMITS.bodyBytes)
    expect(
      await failure(client.chat.completions.create({ model, messages: [{ role: 'user', content }] })),
    ).toMatchObject({ status: 413 })
  })

  test.each([false, true])(
    'a prompt longer than the context is a 400 context_length_exceeded (stream %s)',
    async (stream) => {
      const content = 'word '.repeat(20_000)
      const error = await failure(
        client.chat.completions.create({ model, messages: [{ role: 'user', content }], stream }),
      )
      expect(error).toMatchObject({ status: 400, code: 'context_length_exceeded' })
    },
  )

  test('eight streams at once all end, with the same text', async () => {
    const texts = await Promise.all(
      Array.from({ length: 8 }, async () => {
        const stream = await client.chat.completions.create({
          model,
          messages,
          temperature: 0,
          max_tokens: 24,
          stream: true,
        })
        let text = ''
        for await (const { choices } of stream) text += choices[0]?.delta.content ?? ''
        return text
      }),
    )
    expect(texts[0]).toHaveLength(24)
    expect(new Set(texts).size).toBe(1)
  })

  test('a client that aborts in mid-stream frees its place: many of them leave room for one more', async () => {
    for (let round = 0; round < 12; round++) {
      const stream = await client.chat.completions.create({ model, messages, temperature: 0, stream: true })
      for await (const { choices } of stream) {
        if (choices[0]?.delta.content) break
      }
      stream.controller.abort()
    }
    const answer = await until(
      () => client.chat.completions.create({ model, messages, temperature: 0, max_tokens: 2 }),
      { what: 'a free place', timeoutMs: 30_000 },
    )
    expect(answer.choices[0]?.message.content).toHaveLength(2)
  })
}
