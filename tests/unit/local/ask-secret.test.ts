import { PassThrough } from 'node:stream'
import { expect, test } from 'vitest'
import { askSecret } from '../../../helper/terminal/ask-secret.ts'

function terminal(): {
  type(text: string): void
  shown(): string
  raw: boolean[]
  both: Parameters<typeof askSecret>[0]
} {
  const raw: boolean[] = []
  const input = Object.assign(new PassThrough(), {
    setRawMode(on: boolean) {
      raw.push(on)
      return input
    },
  })
  let text = ''
  const output = {
    write(part: string | Uint8Array) {
      text += String(part)
      return true
    },
  }
  return {
    type: (typed) => input.write(typed),
    shown: () => text,
    raw,
    both: { input: input as unknown as Parameters<typeof askSecret>[0]['input'], output },
  }
}

test('a typed secret is given and never shown; what was mistyped can be taken back', async () => {
  const { type, shown, raw, both } = terminal()
  const asked = askSecret(both, 'Passphrase: ')
  type('the heronz')
  type('\u007f in the r\u00e4in 🐧\r')
  expect(await asked).toBe('the heron in the r\u00e4in 🐧')
  expect(shown()).toBe('Passphrase: \n')
  expect(raw).toEqual([true, false])
})

test('who leaves with Ctrl-C or Ctrl-D has typed nothing, and a stop ends the asking', async () => {
  for (const key of ['\u0003', '\u0004']) {
    const { type, raw, both } = terminal()
    const asked = askSecret(both, 'Passphrase: ')
    type(`half${key}`)
    expect(await asked).toBeUndefined()
    expect(raw).toEqual([true, false])
  }
  const { raw, both } = terminal()
  const stopping = new AbortController()
  const asked = askSecret(both, 'Passphrase: ', { signal: stopping.signal })
  stopping.abort()
  await expect(asked).rejects.toMatchObject({ code: 'aborted' })
  expect(raw).toEqual([true, false])
})
