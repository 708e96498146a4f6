import { MeshError } from '../../mesh/base/index.ts'
import type { AskResult } from '../local/index.ts'
import { printable } from '../terminal/index.ts'
import type { Command } from './command.ts'

/** `plexus ask` */
export const askCommand: Command = {
  name: 'ask',
  summary: 'Ask one question; the answer is printed as it comes. Ctrl-C stops it.',
  arguments: [{ usage: '<text...>', doc: 'the question' }],
  options: [
    { usage: '--device <device>', doc: 'which device shall answer: id, name, or the beginning of either' },
    { usage: '--model <model>', doc: 'which model shall answer' },
  ],
  async run(input, context) {
    const text = input.arguments.join(' ')
    if (text.trim() === '') throw new MeshError('usage', 'There is no question. Put it behind "plexus ask".')
    const { device, model } = input.options
    const client = await context.helper()
    const shown = { isBegun: false }
    try {
      const answer = await client.call(
        'ask',
        { text, ...(typeof device === 'string' ? { device } : {}), ...(typeof model === 'string' ? { model } : {}) },
        {
          signal: context.signal,
          onEvent(event) {
            if (event.type !== 'text' || context.json) return
            context.out.write(printable(event.text))
            shown.isBegun = true
          },
        },
      )
      if (!context.json) {
        context.out.write('\n')
        context.err.write(`${summaryOf(answer)}\n`)
      }
      return { json: answer }
    } catch (error) {
      if (shown.isBegun) context.out.write('\n')
      throw error
    }
  },
}

function summaryOf(answer: AskResult): string {
  const { decodeMs, firstTokenMs } = answer.timings
  const speed =
    decodeMs > 0 ? ` · ${((Math.max(0, answer.usage.completionTokens - 1) / decodeMs) * 1000).toFixed(1)} tokens/s` : ''
  return `${printable(answer.route.deviceName)} · ${printable(answer.model)}${speed} · first word after ${(firstTokenMs / 1000).toFixed(2)} s`
}
