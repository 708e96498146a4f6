import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import * as limits from '../../../mesh/base/limits.ts'

test('docs/limits.md names every limit of the peer with its value', async () => {
  const text = await readFile(new URL('../../../docs/limits.md', import.meta.url), 'utf8')
  const documented = Object.fromEntries(
    [...text.matchAll(/^\| `([A-Z_]+)`\s*\| (\d+)\s*\|/gm)].map(([, name, value]) => [name, Number(value)]),
  )
  expect(documented).toEqual({ ...limits })
})
