import { readdir, readFile } from 'node:fs/promises'
import { extname, join, relative, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { beforeAll, describe, expect, test } from 'vitest'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const FOLDERS = ['mesh', 'helper', 'relay', 'app', 'scripts', 'tests', 'public', 'docs', '.ci']
const SKIPPED = new Set(['node_modules', 'dist', '.git', '.cache', '.svelte-check', 'coverage'])
const TEXT = new Set([
  '.ts',
  '.mjs',
  '.cjs',
  '.js',
  '.svelte',
  '.css',
  '.html',
  '.json',
  '.md',
  '.py',
  '.toml',
  '.svg',
  '.yml',
  '',
])

interface SourceFile {
  /** Relative to the repository, with `/`. */
  readonly path: string
  readonly text: string
}

async function filesBelow(folder: string): Promise<readonly string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => [])
  const found = await Promise.all(
    entries.map(async (entry) => {
      const path = join(folder, entry.name)
      if (entry.isDirectory()) return SKIPPED.has(entry.name) ? [] : filesBelow(path)
      return entry.isFile() && TEXT.has(extname(entry.name)) ? [path] : []
    }),
  )
  return found.flat()
}

async function readAll(): Promise<readonly SourceFile[]> {
  const top = (await readdir(ROOT, { withFileTypes: true }))
    .filter((entry) => entry.isFile() && TEXT.has(extname(entry.name)))
    .map((entry) => join(ROOT, entry.name))
  const below = await Promise.all(FOLDERS.map((folder) => filesBelow(join(ROOT, folder))))
  const paths = [...top, ...below.flat()]
  return Promise.all(
    paths.map(async (path) => ({
      path: relative(ROOT, path).split(sep).join('/'),
      text: await readFile(path, 'utf8').catch(() => ''),
    })),
  )
}

/** Where the text matches, as `path:line`. */
function placesOf(files: readonly SourceFile[], pattern: RegExp): readonly string[] {
  return files.flatMap(({ path, text }) =>
    text
      .split('\n')
      .flatMap((line, index) =>
        pattern.test(line) ? [`${path}:${String(index + 1)}: ${line.trim().slice(0, 120)}`] : [],
      ),
  )
}

const isCode = ({ path }: SourceFile): boolean => /\.(?:ts|mjs|svelte)$/.test(path)
const isTest = ({ path }: SourceFile): boolean => /\.test\.ts$/.test(path)
const isOurs = ({ path }: SourceFile): boolean => /^(?:mesh|helper|relay|app)\//.test(path)
/** This file names what it forbids. */
const isThis = ({ path }: SourceFile): boolean => path === 'tests/arch/architecture.test.ts'

describe('the text of the repository', () => {
  let files: readonly SourceFile[] = []
  let code: readonly SourceFile[] = []
  beforeAll(async () => {
    files = (await readAll()).filter((file) => !isThis(file))
    code = files.filter(isCode)
  })

  test('leaves no test out and none alone', () => {
    expect(placesOf(files.filter(isTest), /\b(?:test|it|describe)(?:\.\w+)*\.(?:only|todo)\b/)).toEqual([])
    expect(placesOf(files.filter(isTest), /\b(?:xit|xtest|xdescribe|fit|fdescribe)\(/)).toEqual([])
  })

  test('names no package registry and no machine it was made on', () => {
    const lockfile = files.filter(({ path }) => path === 'package-lock.json')
    const registries = /registry\.(?:npmjs|yarnpkg)|npmmirror|files\.pythonhosted|pypi\.org|artifactory|verdaccio/i
    expect(placesOf(files, registries)).toEqual([])
    expect(placesOf(lockfile, /"resolved":/)).toEqual([])
    expect(placesOf(files, /(?<![\w.])\/(?:work|home\/\w+|Users\/\w+|root)\/(?:main|shared|\w+\/)/)).toEqual([])
  })

  test('loads nothing from a content network', () => {
    const networks = /(?:unpkg\.com|jsdelivr|cdnjs|googleapis\.com|gstatic\.com|esm\.sh|skypack|cdn\.)/i
    expect(
      placesOf(
        files.filter(isOurs).filter((file) => !isTest(file)),
        networks,
      ),
    ).toEqual([])
  })

  test('postpones nothing in a comment', () => {
    expect(placesOf(code, /(?:\/\/|\*|<!--).*\b(?:TODO|FIXME|XXX|HACK)\b/)).toEqual([])
    expect(placesOf(code, /(?:\/\/|\*|<!--).*\b(?:for now|simplified version|placeholder implementation)\b/i)).toEqual(
      [],
    )
  })

  test('throws no plain errors and holds no holes in types', () => {
    const ours = code.filter(isOurs).filter((file) => !isTest(file))
    expect(placesOf(ours, /\bthrow new Error\(/)).toEqual([])
    expect(placesOf(ours, /@ts-(?:ignore|nocheck)|\bas any\b/)).toEqual([])
  })

  test('runs no text as code', () => {
    const ours = code.filter(isOurs).filter((file) => !isTest(file))
    expect(placesOf(ours, /\beval\(|new Function\(|shell:\s*true|\.innerHTML\s*=|document\.write\(/)).toEqual([])
  })

  test('uses relative imports with their extension', () => {
    expect(
      placesOf(code, /\bfrom '\.{1,2}\/[^']*(?<!\.(?:ts|mjs|js|svelte|json|css|d\.ts))'/).filter(
        (place) => !/\?\w+'/.test(place),
      ),
    ).toEqual([])
  })

  test('has files named for what they do', () => {
    const vague = /(?:^|\/)(?:utils?|helpers?|managers?|common|misc|shared|lib)\.(?:ts|svelte)$/
    // the helper is a word of the product
    expect(
      code
        .map(({ path }) => path)
        .filter((path) => vague.test(path) && path !== 'helper/helper.ts' && !path.includes('/operations/helper.ts')),
    ).toEqual([])
  })

  test('opens every folder of the core with what it is for', () => {
    const indexes = files.filter(({ path }) => /^mesh\/[^/]+\/index\.ts$/.test(path))
    expect(indexes.length).toBeGreaterThan(4)
    for (const { path, text } of indexes) {
      expect(text.trimStart().startsWith('/**'), path).toBe(true)
      expect(/export \*/.test(text), `${path} names its exports one by one`).toBe(false)
    }
  })
})
