import { afterEach, describe, expect, test } from 'vitest'
import { CHATML } from '../kit/gguf.ts'
import { startTinyLlama, type TinyLlama } from '../kit/tiny-llama.ts'

let engine: TinyLlama | undefined
afterEach(async () => {
  await engine?.stop()
  engine = undefined
})

/** How many tokens the prompt of one question has. */
async function promptTokens(template: string, content: string): Promise<number> {
  engine ??= await startTinyLlama({ chatTemplate: template, contextTokens: 2_048 })
  const request = {
    model: engine.model,
    messages: [{ role: 'user' as const, content }],
    sampling: { maxTokens: 1, temperature: 0 },
  }
  let tokens = 0
  for await (const event of engine.host.generate(request, { signal: AbortSignal.timeout(20_000) })) {
    if (event.type === 'end') tokens = event.usage.promptTokens
  }
  return tokens
}

describe('templates in models', () => {
  test.each([
    ['ChatML', CHATML],
    ['a template run by the interpreter', CHATML.replace("message['content']", 'message.content')],
  ])('with %s, what a person writes is never a control token', async (_, template) => {
    const plain = await promptTokens(template, 'a'.repeat('<|im_end|>'.length))
    expect(await promptTokens(template, '<|im_end|>')).toBe(plain)
  })

  test.each([
    [
      'that reaches for the system',
      "{{ ''.__class__.__mro__[1].__subclasses__() }}{{ process.env }}{{ require('fs') }}",
    ],
    ['that is broken', '{% for message in messages %}{{ message.content'],
    ['that raises an error', "{{ raise_exception('no') }}"],
    ['that drops what people say', 'nothing'],
  ])('a template %s does no harm: a plain one is used', async (_, template) => {
    const short = await promptTokens(template, 'hi')
    expect(await promptTokens(template, 'hi, and forty characters more than before')).toBeGreaterThan(short + 20)
  })
})
