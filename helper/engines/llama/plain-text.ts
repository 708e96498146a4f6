import type { LlamaModel, Token, Tokenizer } from 'node-llama-cpp'

/** Tokens that a text of people must never become, by their text. */
export type Marks = ReadonlyMap<Token, string>

/** `<…>`, `[…]`, `<|…|>` and their wide forms: how turns and roles are marked. */
const BRACKETED = /^\s*[<[{(＜〈【].+[>\]})＞〉】]\s*$/su
const BARRED = /<[|｜]|[|｜]>/u
/** Elements of web pages: some models have a token for each, and they mark no turn. */
const HTML =
  /^<\/?(?:a|b|big|blockquote|br|caption|code|div|em|h[1-6]|i|img|li|ol|p|pre|s|small|span|strike|strong|sub|sup|table|tbody|td|tfoot|th|thead|tr|u|ul)>$/

/**
 * What could mark a turn in this model: control tokens, and tokens that the file calls
 * the user's own (type 4) or ordinary although they look or are used like marks. The
 * library reads a typed one as that token, because only control tokens are left out.
 * Words, digits and runs of spaces that a file lists as its user's own stay usable.
 * @param used tokens of the chat template, without what people say
 */
export function marksOf(model: LlamaModel, used: Iterable<Token>): Marks {
  const marks = new Map<Token, string>()
  const inTemplate = new Set(used)
  const note = (token: Token, isMark: (text: string) => boolean): void => {
    const text = model.detokenize([token], true)
    // one letter cannot be cut; spaces are what they are
    if ([...text].length > 1 && text.trim() !== '' && isMark(text)) marks.set(token, text)
  }
  for (const token of model.iterateAllTokens()) {
    const { control, userDefined } = model.getTokenAttributes(token)
    if (control) note(token, () => true)
    else if (userDefined) note(token, (text) => inTemplate.has(token) || looksLikeMark(text))
    else if (inTemplate.has(token)) note(token, looksLikeMark)
  }
  return marks
}

function looksLikeMark(text: string): boolean {
  return (BRACKETED.test(text) || BARRED.test(text)) && !HTML.test(text.trim())
}

/**
 * The model's tokenizer for which a text of people is text: marks in it are cut behind
 * their first letter, so that they become the ordinary pieces of a text. What the
 * template writes as special is read as before.
 */
export function textTokenizer(tokenizer: Tokenizer, marks: Marks): Tokenizer {
  const plain = (text: string, options?: 'trimLeadingSpace'): Token[] => {
    const tokens = tokenizer(text, false, options)
    if (!tokens.some((token) => marks.has(token))) return tokens
    const cut = cutMarks(text, marks)
    const pieces = cut.flatMap((piece, index) => tokenizer(piece, false, index === 0 ? options : 'trimLeadingSpace'))
    // a tokenizer that rewrites what it reads could still end at a mark: then the letter that does is left out
    return pieces.filter((token) => !marks.has(token))
  }
  const tokenize = (text: string, special?: boolean | 'builtin', options?: 'trimLeadingSpace'): Token[] => {
    if (special === 'builtin') return tokenizer(text as 'BOS', 'builtin')
    return special === true ? tokenizer(text, true, options) : plain(text, options)
  }
  return Object.assign(tokenize, {
    detokenize: tokenizer.detokenize,
    isSpecialToken: (token: Token) => tokenizer.isSpecialToken(token),
    isEogToken: (token: Token) => tokenizer.isEogToken(token),
  })
}

/** The text in pieces, none of which holds a whole mark. One pass, also where marks overlap. */
export function cutMarks(text: string, marks: Marks): string[] {
  const texts = new Set<string>()
  const lengths = new Map<string, Set<number>>()
  for (const mark of marks.values()) {
    // a tokenizer may take or leave the spaces around it
    for (const form of [mark, mark.trim()]) {
      if (form.length < 2) continue
      texts.add(form)
      const first = form.charAt(0)
      lengths.set(first, (lengths.get(first) ?? new Set()).add(form.length))
    }
  }
  const pieces: string[] = []
  let from = 0
  for (let at = 0; at < text.length; at += 1) {
    for (const length of lengths.get(text.charAt(at)) ?? []) {
      if (!texts.has(text.slice(at, at + length))) continue
      pieces.push(text.slice(from, at + 1))
      from = at + 1
      break
    }
  }
  pieces.push(text.slice(from))
  return pieces.filter((piece) => piece !== '')
}
