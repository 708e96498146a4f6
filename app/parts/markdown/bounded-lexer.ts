import { Lexer, Tokenizer, type Token, type Tokens, type TokensList } from 'marked'
import { blockGroups, inlineUnits, MARKDOWN_MAX_DEPTH, MARKDOWN_MAX_UNITS } from './work.ts'

/** A piece that is shown as it was written, because reading it would cost too much. */
export interface PlainToken {
  readonly type: 'plain'
  readonly raw: string
}

/** Where a quote or a list begins. */
const QUOTE = /^ {0,3}>/
const LIST = /^ {0,3}(?:[*+-]|\d{1,9}[.)])(?:[ \t]|\n|$)/

/** The library's steps into quotes and lists, which also call each other past the lexer: no deeper than the bound. */
class BoundedTokenizer extends Tokenizer {
  #depth = 0

  /** Called when something stayed as it was written because it is too deep. */
  onTooDeep: () => void = () => {}

  override blockquote(src: string): Tokens.Blockquote | undefined {
    return this.#goInto(QUOTE.test(src), () => super.blockquote(src))
  }

  override list(src: string): Tokens.List | undefined {
    return this.#goInto(LIST.test(src), () => super.list(src))
  }

  #goInto<Found>(isThere: boolean, step: () => Found | undefined): Found | undefined {
    if (!isThere) return undefined
    if (this.#depth >= MARKDOWN_MAX_DEPTH) {
      this.onTooDeep()
      return undefined
    }
    this.#depth += 1
    try {
      return step()
    } finally {
      this.#depth -= 1
    }
  }
}

/**
 * The library's reader with an end: no nesting deeper than the bound, no cost beyond
 * it, whatever the text. It asks before each step into a quote, a list, an emphasis or
 * a link, so that it never gets deep or slow first. What is left out stays as text.
 */
class BoundedLexer extends Lexer {
  #blockDepth = 0
  #inlineDepth = 0
  #unitsLeft = MARKDOWN_MAX_UNITS

  /** True once a part of the text stayed as it was written. */
  isCut = false

  /** Takes from what may still be spent; false when it is not there. */
  spend(units: number): boolean {
    if (units > this.#unitsLeft) {
      this.isCut = true
      return false
    }
    this.#unitsLeft -= units
    return true
  }

  override blockTokens(src: string, tokens?: Token[], lastParagraphClipped?: boolean): Token[]
  override blockTokens(src: string, tokens?: TokensList, lastParagraphClipped?: boolean): TokensList
  override blockTokens(src: string, tokens: Token[] = [], lastParagraphClipped = false): Token[] {
    // the outermost was paid for by who called
    if (this.#blockDepth > 0 && !this.spend(totalUnits(src))) return asWritten(src, tokens)
    this.#blockDepth += 1
    try {
      return super.blockTokens(src, tokens, lastParagraphClipped)
    } finally {
      this.#blockDepth -= 1
    }
  }

  override inlineTokens(src: string, tokens: Token[] = []): Token[] {
    if (this.#inlineDepth >= MARKDOWN_MAX_DEPTH) this.isCut = true
    if (this.#inlineDepth >= MARKDOWN_MAX_DEPTH || !this.spend(inlineUnits(src))) return asWritten(src, tokens)
    this.#inlineDepth += 1
    try {
      return super.inlineTokens(src, tokens)
    } finally {
      this.#inlineDepth -= 1
    }
  }
}

/** Every token of a text, in order; what reading would cost too much is plain. */
export interface BoundedTokens {
  readonly tokens: readonly (Token | PlainToken)[]
  readonly links: TokensList['links']
  /** A part of the text stayed as it was written. */
  readonly isCut: boolean
}

/** Reads a text as Markdown within the bounds, in time that does not depend on what it says. */
export function lexBounded(text: string): BoundedTokens {
  const tokenizer = new BoundedTokenizer()
  const lexer = new BoundedLexer({ gfm: true, tokenizer })
  tokenizer.onTooDeep = () => {
    lexer.isCut = true
  }
  const source = text.replace(/\r\n?/g, '\n')
  const groups = blockGroups(source)
  const isCheap = lexer.spend(sum(groups.map(({ units }) => units)))
  let tokens: (Token | PlainToken)[]
  if (isCheap) tokens = lexer.blockTokens(source, lexer.tokens)
  else {
    tokens = groups.flatMap(({ text: raw, units }): (Token | PlainToken)[] =>
      lexer.spend(units) ? lexer.blockTokens(raw) : [{ type: 'plain', raw }],
    )
  }
  for (const { src, tokens: inside } of lexer.inlineQueue) {
    lexer.state.inRawBlock = false
    lexer.inlineTokens(src, inside)
  }
  return { tokens, links: lexer.tokens.links, isCut: lexer.isCut }
}

function asWritten(src: string, tokens: Token[]): Token[] {
  tokens.push({ type: 'text', raw: src, text: src, escaped: false })
  return tokens
}

function totalUnits(src: string): number {
  return sum(blockGroups(src).map(({ units }) => units))
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, one) => total + one, 0)
}
