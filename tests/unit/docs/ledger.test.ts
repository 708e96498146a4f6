import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { RULES } from '../../../mesh/identity/index.ts'

const text = await readFile(new URL('../../../docs/protocols/ledger.md', import.meta.url), 'utf8')

test('docs/protocols/ledger.md names every rule of the ledger with its sentence', () => {
  const rules = text.slice(text.indexOf('## What counts'))
  const documented = Object.fromEntries(
    [...rules.matchAll(/^\| `([a-z-]+)`\s*\| (.*?)\s*\|$/gm)].map(([, name, sentence]) => [name, sentence]),
  )
  expect(documented).toEqual({ ...RULES })
})
