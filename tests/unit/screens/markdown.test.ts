import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { Lexer } from 'marked'
import { describe, expect, it } from 'vitest'
import { createBlockRenderer, MARKDOWN_MAX_CHARS, type Block } from '../../../app/parts/markdown/blocks.ts'
import { lexBounded } from '../../../app/parts/markdown/bounded-lexer.ts'
import { MARKDOWN_MAX_DEPTH } from '../../../app/parts/markdown/work.ts'
import { safeTarget } from '../../../app/parts/markdown/target.ts'

const words = { image: (alt: string) => `Image, not loaded: ${alt}`, table: 'Table' }

function htmlOf(text: string): string {
  return createBlockRenderer(words, (html) => html)
    .render(text)
    .blocks.map((block) => (block.kind === 'prose' ? block.html : ''))
    .join('')
}

describe('Markdown of an answer', () => {
  it('shows raw HTML as text', () => {
    const html = htmlOf('Hi <img src=x onerror=alert(1)> there\n\n<script>alert(1)</script>')
    expect(html).not.toMatch(/<(img|script)/i)
    expect(html).toContain('&lt;img')
    expect(html).toContain('&lt;script&gt;')
  })

  it('names a remote picture and does not fetch it', () => {
    const html = htmlOf('![a cat](https://example.org/cat.png)')
    expect(html).not.toContain('<img')
    expect(html).toContain('Image, not loaded: a cat')
    expect(html).toContain('example.org')
  })

  it('shows where a link leads and opens it without a way back', () => {
    const html = htmlOf('[the bank](https://evil.example/login)')
    expect(html).toContain('<span class="link-target">evil.example</span>')
    expect(html).toContain('rel="noopener noreferrer nofollow"')
  })

  it.each([
    'javascript:alert(1)',
    'data:text/html,x',
    '/relative',
    'vbscript:x',
    'file:///etc/passwd',
    'https://bank.example@evil.example/',
  ])('makes no link of %s', (href) => {
    expect(safeTarget(href)).toBeUndefined()
    expect(htmlOf(`[x](<${href}>)`)).not.toContain('<a')
  })

  it('shows look-alike letters of a host as what they are', () => {
    expect(safeTarget('https://аpple.com/')?.shown).toMatch(/^xn--/)
  })

  it('begins headings below those of the page', () => {
    expect(htmlOf('# One\n\n###### Six')).toMatch(/<h3>One<\/h3>.*<h6>Six<\/h6>/s)
  })

  it('knows when a fence is closed', () => {
    const blocks = (text: string): readonly Block[] => createBlockRenderer(words, (html) => html).render(text).blocks
    expect(blocks('```ts\nconst a = 1')).toEqual([{ kind: 'code', code: 'const a = 1', language: 'ts', closed: false }])
    expect(blocks('```ts\nconst a = 1\n```')).toEqual([
      { kind: 'code', code: 'const a = 1', language: 'ts', closed: true },
    ])
    expect(blocks('```TypeScript title="x"\na\n```\n')[0]).toMatchObject({ language: 'typescript', closed: true })
  })

  it('renders each block once while a text streams', () => {
    let rendered = 0
    const renderer = createBlockRenderer(words, (html) => {
      rendered += 1
      return html
    })
    const text = Array.from({ length: 20 }, (_, index) => `Paragraph ${String(index)} with words.`).join('\n\n')
    for (let end = 1; end <= text.length; end += 1) renderer.render(text.slice(0, end))
    // one rendering for each new letter of the last block, never for those before it
    expect(rendered).toBeLessThanOrEqual(text.length + 20)
    const before = rendered
    const first = renderer.render(text).blocks
    expect(renderer.render(`${text}\n\nMore.`).blocks[0]).toBe(first[0])
    expect(rendered).toBe(before + 1)
  })

  it('gives earlier blocks their links when the definition comes late', () => {
    const renderer = createBlockRenderer(words, (html) => html)
    expect(JSON.stringify(renderer.render('See [a][1].'))).not.toContain('<a')
    expect(JSON.stringify(renderer.render('See [a][1].\n\n[1]: https://example.org'))).toContain('<a')
  })

  it('shows an endless text as it was written', () => {
    const text = '*'.repeat(MARKDOWN_MAX_CHARS + 1)
    const rendered = createBlockRenderer(words, (html) => html).render(text)
    expect(rendered).toEqual({ blocks: [{ kind: 'plain', text }], isCut: true })
  })
})

const CHARS = 100_000
const fill = (piece: string, chars = CHARS): string => piece.repeat(Math.ceil(chars / piece.length)).slice(0, chars)
/** What deepens with every line. */
const stairs = (step: (level: number) => string): string => {
  let text = ''
  for (let level = 0; text.length < CHARS; level += 1) text += step(level)
  return text
}
// each makes a reader of Markdown slow or deep: time that grows with the square of a text, or worse, and one step of the stack for each sign
const PIECES = [
  ...[
    '>',
    '> ',
    '- ',
    '1. ',
    '- > ',
    '> - ',
    '* ',
    '+ 1) ',
    '- [ ] ',
    '- a\n',
    '- a\n\n',
    '1. a\n2) b\n',
    '-\n',
    '* a\n+ b\n',
  ],
  ...[
    '*',
    '*a',
    '**a',
    '*a ',
    'a*',
    'a**',
    '_a',
    'a_ ',
    '*_',
    '**_a ',
    '***a',
    'a***b__',
    '~~a',
    '~a ',
    '~',
    '*!',
    '😀*',
    '\\*a',
  ],
  ...[
    '[',
    ']',
    '[a](',
    '[a]',
    '[a](b) ',
    '![',
    '![a](',
    '[a](<b',
    '[](',
    '[a][',
    '[*a](b',
    '![[]()',
    '[![',
    '[a]*[b]_',
    '\\[*',
  ],
  ...[
    '<',
    '<a ',
    '<a href="',
    '<!--',
    '<?',
    '<![CDATA[',
    '<!A',
    '</',
    '<div>\n',
    '<pre>',
    '<script>\n',
    '<a\n',
    '<a b="',
    '<b>*',
  ],
  ...[
    '`',
    '`a``',
    '`a`*',
    '```\n',
    '~~~\na\n',
    '(',
    '\\',
    '&',
    '&#',
    'http://',
    'www.',
    'a@',
    'a.b@c.',
    'x_y@z-',
    'a.',
    'a:b ',
    'ftp:',
  ],
  ...[
    '# ',
    '#',
    'a\n=\n',
    '_ ',
    ' ',
    '\n',
    'a\n',
    ' \n',
    '\t',
    'a  \n',
    '\r',
    '|',
    'a|b\n-|-\n',
    '|a|\n|-|\n',
    '    a\n',
    '    ',
  ],
  ...[
    '[a]: b\n',
    '[a]:',
    '[a]: b "',
    'a\n> ',
    '> a\n',
    '>> a\n> b\n',
    '> ```\n',
    '- a\n  b\n',
    'a',
    '1',
    '1.',
    '[a](b)*',
  ],
]
const WHOLE: readonly (readonly [string, string])[] = [
  ['nested emphasis', fill('*a **a ', CHARS / 2) + fill('a** a*', CHARS / 2)],
  ['brackets in brackets', fill('[', CHARS / 2) + fill(']', CHARS / 2)],
  ['links in links', `${fill('[', CHARS / 4)}a${fill('](b)')}`],
  ['a list in a list', stairs((level) => `${' '.repeat(level * 2)}- a\n`)],
  ['a quote in a list in a quote', stairs((level) => `${'> - '.repeat(level)}a\n`)],
  ['ever longer code marks', stairs((level) => `${'`'.repeat(level + 1)}a `)],
  ['lines that hang on a list', `- a\n${fill(' b\n')}`],
  ['lines that hang on a quote', `> a\n${fill('b\n')}`],
  ['a mail address without end', `${fill('a')}@`],
  ['a table wider than its rows', `${fill('|a', 600)}\n${fill('|-', 600)}\n${fill('|\n')}`],
  ['a target of brackets', `[a](${fill('(')}`],
  ['a definition without end', `[a]: <${fill('b')}`],
  ['ever new definitions', stairs((level) => `[a${String(level)}]: b\n\n[a${String(level)}]\n\n`)],
  ['quotes that hang on each other', fill(`${'>'.repeat(3_000)}a\n> > `)],
  ['lists that hang on quotes', fill(`${'> - '.repeat(800)}a\n> `)],
  ['a rule that is none', `${fill('- ')}a`],
]

describe('a text made to be slow or deep', () => {
  const cases: readonly (readonly [string, string])[] = [
    ...PIECES.map((piece) => [JSON.stringify(piece), fill(piece)] as const),
    ...PIECES.map((piece) => [`${JSON.stringify(piece)} in paragraphs`, fill(`${fill(piece, 300)}\n\n`)] as const),
    ...PIECES.map(
      (piece) => [`${JSON.stringify(piece)} in long paragraphs`, fill(`${fill(piece, 1_500)}\n\n`)] as const,
    ),
    ...WHOLE,
  ]

  it('has every construct', () => {
    expect(cases.length).toBeGreaterThan(300)
  })

  it.each(cases)('%s keeps its words, in little time', (_what, text) => {
    const renderer = createBlockRenderer(words, (html) => html)
    const before = process.cpuUsage()
    const { blocks } = renderer.render(text)
    const { user, system } = process.cpuUsage(before)
    // of the processor's time, so that a busy machine fails no test; some fifty on a free one, and what
    // grows with the square takes seconds
    expect((user + system) / 1_000).toBeLessThan(500)
    const html = blocks.map((block) => (block.kind === 'prose' ? block.html : '')).join('')
    expect(html.length).toBeLessThan(40 * CHARS)
    expect(depthOf(html)).toBeLessThan(4 * MARKDOWN_MAX_DEPTH)
  })

  it('shows three thousand quotes in one another as text, and goes on after them', () => {
    const { blocks, isCut } = createBlockRenderer(words, (html) => html).render(`${'>'.repeat(3_000)}\n\n**after**`)
    expect(isCut).toBe(true)
    expect(JSON.stringify(blocks)).toContain('<strong>after</strong>')
  })

  it('loses no letter where it stops laying out', () => {
    const text = `${fill('*a **b ', 9_000)}\n\nlast words`
    const { blocks } = createBlockRenderer(words, (html) => html).render(text)
    const shown = blocks.map((block) =>
      block.kind === 'prose' ? block.html : block.kind === 'plain' ? block.text : '',
    )
    expect(shown.join('').replaceAll(/[^ab]/g, '').length).toBeGreaterThanOrEqual(text.replaceAll(/[^ab]/g, '').length)
    expect(shown.at(-1)).toContain('last words')
  })

  it('is plain where the sanitiser fails', () => {
    const renderer = createBlockRenderer(words, () => {
      throw new RangeError('Maximum call stack size exceeded')
    })
    expect(renderer.render('words').blocks).toEqual([{ kind: 'plain', text: 'words' }])
  })

  it('whatever it is made of, never throws and is bounded in depth', () => {
    const piece = fc.constantFrom(...PIECES, 'word ', '\n\n', '  ')
    const text = fc.array(fc.tuple(piece, fc.integer({ min: 1, max: 400 })), { minLength: 1, maxLength: 12 })
    fc.assert(
      fc.property(text, (parts) => {
        const { blocks } = createBlockRenderer(words, (html) => html).render(
          parts.map(([what, times]) => what.repeat(times)).join(''),
        )
        for (const block of blocks)
          if (block.kind === 'prose') expect(depthOf(block.html)).toBeLessThan(4 * MARKDOWN_MAX_DEPTH)
      }),
      { numRuns: 200 },
    )
  })

  it('reads honest texts as the library does', () => {
    const text = readFileSync(new URL('../../../ARCHITECTURE.md', import.meta.url), 'utf8')
    const { tokens, isCut } = lexBounded(text)
    expect(isCut).toBe(false)
    expect([...tokens]).toEqual([...new Lexer({ gfm: true }).lex(text)])
  })
})

/** Elements inside one another in what the renderer made. */
function depthOf(html: string): number {
  let depth = 0
  let deepest = 0
  for (const [tag] of html.matchAll(/<\/?[a-z][^>]*>/g)) {
    if (/^<(?:br|hr)/.test(tag)) continue
    depth += tag.startsWith('</') ? -1 : 1
    deepest = Math.max(deepest, depth)
  }
  return deepest
}
