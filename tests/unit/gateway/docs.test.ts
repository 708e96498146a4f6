import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { DOOR_LIMITS } from '../../../helper/door/index.ts'
import { GATEWAY_LIMITS } from '../../../helper/gateway/index.ts'

test('docs/gateway.md says the limits as they are', async () => {
  const text = await readFile(new URL('../../../docs/gateway.md', import.meta.url), 'utf8')
  const limits = text.slice(text.indexOf('## Limits'))
  const rows = [...limits.matchAll(/^\| `(\w+)` +\| (\d+) +\|/gm)].map(([, name, value]) => [name, Number(value)])
  expect(Object.fromEntries(rows)).toEqual({ ...GATEWAY_LIMITS, ...DOOR_LIMITS })
})
