import { Marked, type Token, type Tokens, type TokensList } from 'marked'
import { lexBounded, type PlainToken } from './bounded-lexer.ts'
import { escapeHtml } from './escape.ts'
import { safeTarget } from './target.ts'

/** One piece of an answer: prose as HTML, a block of code, or text as it was written. */
export type Block =
  | { readonly kind: 'prose'; readonly html: string }
  | { readonly kind: 'plain'; readonly text: string }
  | { readonly kind: 'code'; readonly code: string; readonly language: string; readonly closed: boolean }

/** Words the renderer puts in, given by the caller so that this file stays free of languages. */
export interface BlockWords {
  image(alt: string): string
  table: string
}

/** Texts beyond this are shown as they were written. */
export const MARKDOWN_MAX_CHARS = 200_000

/** A text as blocks. */
export interface Rendered {
  readonly blocks: readonly Block[]
  /** A part of it is shown as it was written: it is too long, or nested too deep. */
  readonly isCut: boolean
}

/** A renderer of texts into blocks that remembers blocks by their raw text, so that streaming costs only the last one. */
export interface BlockRenderer {
  /** Never throws, whatever the text: what cannot be rendered is plain. */
  render(text: string): Rendered
}

/** Makes a {@link BlockRenderer}. `sanitise` runs once for each new piece of prose. */
export function createBlockRenderer(words: BlockWords, sanitise: (html: string) => string): BlockRenderer {
  const marked = createMarked(words)
  let cache = new Map<string, Block>()
  let cachedLinks = ''
  const renderText = (text: string): Rendered => {
    if (text.length > MARKDOWN_MAX_CHARS) return plainly(text)
    const { tokens, links, isCut } = lexBounded(text)
    // a definition that comes late changes how earlier blocks read
    const linksNow = JSON.stringify(links)
    if (linksNow !== cachedLinks) cache = new Map()
    cachedLinks = linksNow
    const next = new Map<string, Block>()
    const blocks: Block[] = []
    for (const token of tokens) {
      if (token.type === 'space' || token.type === 'def') continue
      const key = `${token.type} ${token.raw}`
      const block = next.get(key) ?? cache.get(key) ?? toBlock(token, links, marked, sanitise)
      next.set(key, block)
      blocks.push(block)
    }
    cache = next
    return { blocks, isCut }
  }
  return {
    render(text) {
      try {
        return renderText(text)
      } catch (error) {
        // a foreign text must not take the other messages of its chat along
        console.warn('a text could not be shown as Markdown', error)
        return plainly(text)
      }
    },
  }
}

function plainly(text: string): Rendered {
  return { blocks: [{ kind: 'plain', text }], isCut: true }
}

function toBlock(
  token: Token | PlainToken,
  links: TokensList['links'],
  marked: Marked,
  sanitise: (html: string) => string,
): Block {
  if (isPlain(token)) return { kind: 'plain', text: token.raw }
  if (isCode(token)) {
    const closed = token.codeBlockStyle === 'indented' || /\n[ \t]*(?:`{3,}|~{3,})[ \t]*\n*$/.test(token.raw)
    return { kind: 'code', code: token.text, language: languageOf(token.lang), closed }
  }
  return { kind: 'prose', html: sanitise(marked.parser(Object.assign([token], { links }))) }
}

function isPlain(token: Token | PlainToken): token is PlainToken {
  return token.type === 'plain'
}

function isCode(token: Token): token is Tokens.Code {
  return token.type === 'code'
}

function languageOf(info: string | undefined): string {
  return (
    (info ?? '')
      .trim()
      .split(/[\s{,:]/, 1)[0]
      ?.toLowerCase()
      .slice(0, 24) ?? ''
  )
}

function createMarked(words: BlockWords): Marked {
  return new Marked({
    gfm: true,
    renderer: {
      html: ({ text }) => escapeHtml(text),
      image: ({ text, href }) => {
        const name = `<span class="image-name">${escapeHtml(words.image(text))}</span>`
        return link(href, name)
      },
      link({ href, tokens }) {
        return link(href, this.parser.parseInline(tokens))
      },
      code: ({ text }) => `<pre tabindex="0"><code>${escapeHtml(text)}</code></pre>`,
      heading({ tokens, depth }) {
        // the page has its own first and second level
        const level = String(Math.min(6, depth + 2))
        return `<h${level}>${this.parser.parseInline(tokens)}</h${level}>`
      },
      checkbox: ({ checked }) => (checked ? '\u2611 ' : '\u2610 '),
      table(token) {
        const cells = (row: Tokens.TableCell[], tag: 'th' | 'td'): string =>
          row
            .map(
              (cell) => `<${tag}${tag === 'th' ? ' scope="col"' : ''}>${this.parser.parseInline(cell.tokens)}</${tag}>`,
            )
            .join('')
        const head = `<thead><tr>${cells(token.header, 'th')}</tr></thead>`
        const body = token.rows.map((row) => `<tr>${cells(row, 'td')}</tr>`).join('')
        return `<div class="tablewrap" tabindex="0" role="group" aria-label="${escapeHtml(words.table)}"><table>${head}<tbody>${body}</tbody></table></div>`
      },
    },
  })
}

/** A link that names where it leads. What is no web or mail address stays text. */
function link(href: string, inner: string): string {
  const target = safeTarget(href)
  if (target === undefined) return inner
  const shown = `<span class="link-target">${escapeHtml(target.shown)}</span>`
  return `<a href="${escapeHtml(target.href)}" target="_blank" rel="noopener noreferrer nofollow">${inner} ${shown}</a>`
}
