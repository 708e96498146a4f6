import { spawnSync } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const ROOT = fileURLToPath(new URL('../../..', import.meta.url))
const OXLINT = join(ROOT, 'node_modules', 'oxlint', 'bin', 'oxlint')
const RULES = ['no-plain-errors', 'no-ambient-chance', 'no-ambient-time', 'no-named-zod']

const REPORTED: readonly (readonly [rule: string, code: string])[] = [
  ['no-plain-errors', "throw new Error('no')"],
  ['no-ambient-chance', 'export const a = Math.random()'],
  ['no-ambient-chance', 'export const { a } = { a: Math.random }'],
  ['no-ambient-time', 'export const a = Date.now()'],
  ['no-ambient-time', 'export const a = new Date()'],
  ['no-ambient-time', 'export const a = Date()'],
  ['no-named-zod', "import { z } from 'zod'"],
  ['no-named-zod', "import { string as s, type ZodType } from 'zod/mini'"],
  ['no-named-zod', "import z from 'zod/mini'"],
]
const GOOD = [
  "throw new TypeError('no')",
  'const error = new Error()',
  'export const a = Math.max(1, 2)',
  'export const a = new Date(0)',
  "import * as z from 'zod/mini'",
  "import { type ZodType } from 'zod'",
  "import { z } from './zod.ts'",
]

test('the rules of our own report what they are for, each once, and nothing else', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'plexus-rules-'))
  try {
    const config = {
      jsPlugins: [join(ROOT, 'scripts', 'lint', 'own-rules.mjs')],
      categories: { correctness: 'off' },
      rules: Object.fromEntries(RULES.map((rule) => [`plexus/${rule}`, 'error'])),
    }
    await writeFile(join(folder, 'rules.json'), JSON.stringify(config))
    const codes = [...REPORTED.map(([, code]) => code), ...GOOD]
    await Promise.all(codes.map((code, index) => writeFile(join(folder, `${String(index)}.ts`), `${code}\n`)))
    const { stdout } = spawnSync(process.execPath, [OXLINT, '-c', 'rules.json', '-f', 'json', '.'], {
      cwd: folder,
      encoding: 'utf8',
    })
    const { diagnostics } = JSON.parse(stdout) as { diagnostics: readonly { code: string; filename: string }[] }
    const found = diagnostics.map(({ code, filename }) => [code, codes[Number.parseInt(filename, 10)]])
    expect(found.sort()).toEqual(REPORTED.map(([rule, code]) => [`plexus(${rule})`, code]).sort())
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
})
