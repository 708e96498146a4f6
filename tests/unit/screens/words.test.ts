import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { IntlMessageFormat } from 'intl-messageformat'
import { parse } from 'svelte/compiler'
import { describe, expect, it } from 'vitest'
import { errorSentence, pictureName, t } from '../../../app/i18n/index.ts'
import en from '../../../app/i18n/en.json'
import { drawingOf } from '../../../app/parts/pictures/drawing.ts'
import { PICTURES } from '../../../mesh/identity/index.ts'
import { ERROR_CODES } from '../../../mesh/base/index.ts'

const APP = fileURLToPath(new URL('../../../app/', import.meta.url))
const sources = readdirSync(APP, { recursive: true, encoding: 'utf8' }).filter((file) => /\.(svelte|ts)$/.test(file))
const components = sources.filter((file) => file.endsWith('.svelte'))
const read = (file: string): string => readFileSync(join(APP, file), 'utf8')
const keys = Object.keys(en)

/** Attributes whose value a person reads or hears. */
const SPOKEN = new Set([
  'aria-label',
  'aria-description',
  'aria-roledescription',
  'alt',
  'title',
  'placeholder',
  'label',
])

function literalTexts(file: string, source: string): string[] {
  const found: string[] = []
  const walk = (node: unknown, attribute: string | undefined): void => {
    if (Array.isArray(node)) {
      for (const item of node) walk(item, attribute)
      return
    }
    if (typeof node !== 'object' || node === null) return
    const entry = node as Record<string, unknown>
    const type = entry['type']
    if (type === 'Attribute') {
      const name = String(entry['name'])
      if (SPOKEN.has(name)) walk(entry['value'], name)
      return
    }
    if (type === 'Text' && /\p{L}/u.test(String(entry['data'])))
      found.push(`${file}: ${attribute ?? 'text'} ${String(entry['data']).trim()}`)
    if (type === 'Comment' || type === 'ExpressionTag') return
    for (const [key, value] of Object.entries(entry)) if (key !== 'metadata') walk(value, attribute)
  }
  walk(parse(source, { modern: true, filename: file }).fragment, undefined)
  return found
}

function argumentsOf(message: string): Record<string, string | number> {
  const values: Record<string, string | number> = {}
  const walk = (elements: readonly unknown[]): void => {
    for (const element of elements) {
      const entry = element as { type: number; value?: string; options?: Record<string, { value: readonly unknown[] }> }
      // 0 is literal text, 7 the # of a plural
      if (entry.type !== 0 && entry.type !== 7 && entry.value !== undefined)
        values[entry.value] = entry.options === undefined ? 'x' : 2
      for (const option of Object.values(entry.options ?? {})) walk(option.value)
    }
  }
  walk(new IntlMessageFormat(message, 'en', undefined, { ignoreTag: true }).getAst())
  return values
}

describe('words', () => {
  it('has no text in a component that did not come from the language file', () => {
    expect(components.flatMap((file) => literalTexts(file, read(file)))).toEqual([])
  })

  it('finds text that would have been written into a component', () => {
    const source =
      '<script>let a = "code"</script><p class="big" aria-label="Hello">{t("x")} there {#if a}<b>you</b>{/if}</p>'
    expect(literalTexts('X', source)).toEqual(['X: aria-label Hello', 'X: text there', 'X: text you'])
  })

  it('has a sentence for every failure Plexus knows', () => {
    for (const code of ERROR_CODES) {
      expect(errorSentence(code), code).toMatch(/^\p{Lu}.+\.$/u)
    }
  })

  it('can fill in every message, in every plural', () => {
    for (const [key, message] of Object.entries(en)) {
      const values = argumentsOf(message)
      for (const count of [0, 1, 2, 5]) {
        const filled = Object.fromEntries(
          Object.entries(values).map(([name, value]) => [name, value === 'x' ? 'x' : count]),
        )
        expect(t(key as keyof typeof en, filled), key).not.toMatch(/[{}]/)
      }
    }
  })

  it('uses every message somewhere', () => {
    const text = sources.map(read).join('\n')
    const prefixes = [...text.matchAll(/`([a-z]+\.(?:[a-zA-Z]+\.)*)\$\{/g)].map((match) => match[1] ?? '')
    const unused = keys.filter(
      (key) => !text.includes(`'${key}'`) && !prefixes.some((prefix) => key.startsWith(prefix)),
    )
    expect(unused).toEqual([])
  })

  it('names every picture that two people may have to compare', () => {
    for (const picture of PICTURES) {
      expect(pictureName(picture), picture).toMatch(/^\p{Lu}/u)
      expect(drawingOf(picture).length, picture).toBeGreaterThan(0)
    }
  })

  it('draws no two of them alike, and each with an outline', () => {
    const drawn = PICTURES.map((picture) =>
      drawingOf(picture)
        .map(([, path]) => path)
        .join(),
    )
    expect(new Set(drawn).size).toBe(PICTURES.length)
    for (const path of drawn) expect(path).toMatch(/^[MLHVCSQAZmlhvcsqaz0-9 .,-]+$/)
    expect(drawingOf('constructor')).toEqual([])
  })

  it('does not name what is no picture', () => {
    expect(pictureName('constructor')).toBeUndefined()
  })
})
