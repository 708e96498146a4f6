import { describe, expect, it } from 'vitest'
import { createBlockRenderer, MARKDOWN_MAX_CHARS, type Block } from '../../../app/parts/markdown/blocks.ts'
import { safeTarget } from '../../../app/parts/markdown/target.ts'

const words = { image: (alt: string) => `Image, not loaded: ${alt}`, table: 'Table' }

function htmlOf(text: string): string {
  return createBlockRenderer(words, (html) => html)
    .render(text)
    .map((block) => (block.kind === 'prose' ? block.html : ''))
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
    const blocks = (text: string): readonly Block[] => createBlockRenderer(words, (html) => html).render(text)
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
    const first = renderer.render(text)
    expect(renderer.render(`${text}\n\nMore.`)[0]).toBe(first[0])
    expect(rendered).toBe(before + 1)
  })

  it('gives earlier blocks their links when the definition comes late', () => {
    const renderer = createBlockRenderer(words, (html) => html)
    expect(JSON.stringify(renderer.render('See [a][1].'))).not.toContain('<a')
    expect(JSON.stringify(renderer.render('See [a][1].\n\n[1]: https://example.org'))).toContain('<a')
  })

  it('cuts an endless text into plain paragraphs in little time', () => {
    const started = performance.now()
    const blocks = createBlockRenderer(words, (html) => html).render('*'.repeat(MARKDOWN_MAX_CHARS + 1))
    expect(blocks.length).toBe(1)
    expect(performance.now() - started).toBeLessThan(5_000)
  })
})
