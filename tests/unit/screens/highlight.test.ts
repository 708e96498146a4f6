import { expect, test } from 'vitest'
import { highlight } from '../../../app/parts/markdown/highlight.ts'
import { titleFrom } from '../../../mesh/state/words.ts'

const textOf = async (code: string, language: string): Promise<string> =>
  (await highlight(code, language))?.map(({ text }) => text).join('') ?? ''

const busyMs = async (work: () => Promise<unknown>): Promise<number> => {
  const before = process.cpuUsage()
  await work()
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1_000
}

test('code is coloured as one text, also where a comment goes over several lines', async () => {
  const code = 'const a = 1\n/* one\ntwo */ const b = `x`\n'
  const spans = (await highlight(code, 'ts')) ?? []
  expect(spans.map(({ text }) => text).join('')).toBe(code)
  expect(spans.find(({ text }) => text.includes('two'))?.tone).toBe('comment')
  expect(spans.find(({ text }) => text === 'const')?.tone).toBe('keyword')
})

test.each(['bash', 'css', 'html', 'javascript', 'json', 'python', 'rust', 'sql', 'typescript', 'yaml'])(
  'no text makes the colours of %s stand the page still',
  async (language) => {
    // the first of a language has longer, for its patterns
    await highlight('warm up', language)
    for (const piece of ['<', '(', '{', '"', '`', '\\', '$(', '<<a\n', '/*', 'a.']) {
      for (const code of [piece.repeat(2_000), `${piece.repeat(100)}\n`.repeat(90).slice(0, 20_000)]) {
        const ms = await busyMs(async () => {
          expect(await textOf(code, language)).toBe(code)
        })
        expect(ms, `${JSON.stringify(piece)} in ${language}`).toBeLessThan(2_000)
      }
    }
  },
  60_000,
)

test('a row of dots makes no title slow', async () => {
  const ms = await busyMs(() => Promise.resolve(titleFrom(`${'.'.repeat(200_000)} and more`)))
  expect(ms).toBeLessThan(200)
  expect(titleFrom('\n\n  What is it? And more.')).toBe('What is it?')
})
