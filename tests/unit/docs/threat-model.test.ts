import { readdir, readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'

const root = new URL('../../../', import.meta.url)
const text = await readFile(new URL('docs/threat-model.md', root), 'utf8')
const protections = text.slice(text.indexOf('## What we protect\n'), text.indexOf('## What we do not protect from'))
/** Each sentence with the files and the words of the titles that it names. */
const claims = [...protections.matchAll(/^\| (?!we protect|-)(.+?)\s*\| (.+?)\s*\|$/gm)].map(
  ([, sentence, proofs]) => ({
    sentence: sentence ?? '',
    proofs: (proofs ?? '').split('; ').map((proof) => /^`(.+\.test\.ts)` _(.+)_$/.exec(proof)?.slice(1) ?? [proof]),
  }),
)

test('the threat model says what is protected', () => {
  expect(claims.length).toBeGreaterThanOrEqual(40)
})

test.each(claims.map(({ sentence, proofs }) => [sentence, proofs] as const))('proved: %s', async (_, proofs) => {
  for (const [file = '', title] of proofs) {
    const source = await readFile(new URL(file, root), 'utf8').catch(() => undefined)
    expect([file, source !== undefined, title]).toEqual([file, true, expect.any(String)])
    expect(source).toContain(title)
  }
})

test('every test of security stands behind a sentence of the threat model', async () => {
  const files = (await readdir(new URL('tests/security/', root))).filter((name) => name.endsWith('.test.ts'))
  const named = new Set(claims.flatMap(({ proofs }) => proofs.map(([file]) => file)))
  expect(files.filter((name) => !named.has(`tests/security/${name}`))).toEqual([])
})
