import type { GrammarState, HighlighterCore, LanguageInput } from 'shiki/core'

/** A run of code in one colour; the class is one of the theme's. */
export interface CodeSpan {
  readonly text: string
  readonly tone: string
}

const LANGUAGES: Readonly<Record<string, { readonly name: string; readonly load: () => LanguageInput }>> = {
  bash: { name: 'Shell', load: () => import('shiki/langs/bash.mjs') },
  css: { name: 'CSS', load: () => import('shiki/langs/css.mjs') },
  html: { name: 'HTML', load: () => import('shiki/langs/html.mjs') },
  javascript: { name: 'JavaScript', load: () => import('shiki/langs/javascript.mjs') },
  json: { name: 'JSON', load: () => import('shiki/langs/json.mjs') },
  python: { name: 'Python', load: () => import('shiki/langs/python.mjs') },
  rust: { name: 'Rust', load: () => import('shiki/langs/rust.mjs') },
  sql: { name: 'SQL', load: () => import('shiki/langs/sql.mjs') },
  typescript: { name: 'TypeScript', load: () => import('shiki/langs/typescript.mjs') },
  yaml: { name: 'YAML', load: () => import('shiki/langs/yaml.mjs') },
}
const ALIASES: Readonly<Record<string, string>> = {
  sh: 'bash',
  shell: 'bash',
  zsh: 'bash',
  console: 'bash',
  js: 'javascript',
  mjs: 'javascript',
  jsx: 'javascript',
  ts: 'typescript',
  py: 'python',
  python3: 'python',
  rs: 'rust',
  yml: 'yaml',
  htm: 'html',
  jsonc: 'json',
}

/** Code beyond this stays in one colour: colouring costs more than it tells. */
const HIGHLIGHT_MAX_CHARS = 20_000
/**
 * From a line beyond this on code stays in one colour. The patterns of a grammar are other
 * people's and go back over a line again and again: the cube of its length at worst, in a
 * match that nothing can interrupt, for text that anybody may have written.
 */
const HIGHLIGHT_MAX_LINE = 200
/** Time for one block, looked at after each line, in ms. */
const HIGHLIGHT_BLOCK_MS = 400
/** And for the first of a language, which makes the patterns of its grammar. */
const HIGHLIGHT_FIRST_BLOCK_MS = 4_000
/** After so long the page has a turn, in ms. */
const HIGHLIGHT_SLICE_MS = 30

let highlighter: Promise<HighlighterCore> | undefined
/** Blocks go one after another, and the page has a turn in between. */
let turn: Promise<unknown> = Promise.resolve()
/** Languages whose patterns were made. */
const warm = new Set<string>()

/** The name of a language as people write it; an unknown one as it was written. */
export function languageName(language: string): string {
  return LANGUAGES[ALIASES[language] ?? language]?.name ?? language
}

/** Coloured runs from first to last letter, or nothing for a language without colours. Loads grammar and engine when first needed. */
export async function highlight(code: string, language: string): Promise<readonly CodeSpan[] | undefined> {
  const id = ALIASES[language] ?? language
  const entry = LANGUAGES[id]
  if (entry === undefined || code.length > HIGHLIGHT_MAX_CHARS) return undefined
  highlighter ??= create()
  const shiki = await highlighter
  await shiki.loadLanguage(entry.load())
  const before = turn
  const coloured = before.then(async () => {
    await pageHasTurn()
    return colourLines(shiki, code, id)
  })
  turn = coloured.catch(() => undefined)
  return coloured
}

function pageHasTurn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve))
}

async function colourLines(shiki: HighlighterCore, code: string, lang: string): Promise<readonly CodeSpan[]> {
  let leftMs = warm.has(lang) ? HIGHLIGHT_BLOCK_MS : HIGHLIGHT_FIRST_BLOCK_MS
  warm.add(lang)
  let sliceMs = 0
  const lines = code.split('\n')
  const spans: CodeSpan[] = []
  let state: GrammarState | undefined
  for (const [row, line] of lines.entries()) {
    if (line.length > HIGHLIGHT_MAX_LINE || leftMs <= 0)
      return [...spans, { text: `${row === 0 ? '' : '\n'}${lines.slice(row).join('\n')}`, tone: '' }]
    const beganAt = performance.now()
    const options = { lang, theme: 'plexus', ...(state === undefined ? {} : { grammarState: state }) }
    const tokens = shiki.codeToTokensBase(line, options)
    state = shiki.getLastGrammarState(tokens) ?? state
    if (row > 0) spans.push({ text: '\n', tone: '' })
    spans.push(...tokens.flat().map((token) => ({ text: token.content, tone: toneOf(token.color) })))
    const tookMs = performance.now() - beganAt
    leftMs -= tookMs
    sliceMs += tookMs
    if (sliceMs < HIGHLIGHT_SLICE_MS) continue
    sliceMs = 0
    await pageHasTurn()
  }
  return spans
}

async function create(): Promise<HighlighterCore> {
  const [{ createCssVariablesTheme, createHighlighterCore }, { createJavaScriptRegexEngine }] = await Promise.all([
    import('shiki/core'),
    import('shiki/engine/javascript'),
  ])
  const theme = createCssVariablesTheme({ name: 'plexus', variablePrefix: '--tone-' })
  return createHighlighterCore({ themes: [theme], langs: [], engine: createJavaScriptRegexEngine({ forgiving: true }) })
}

/** `var(--tone-token-keyword)` as `keyword`. A class, because style attributes are forbidden by the page's policy. */
function toneOf(colour: string | undefined): string {
  return /--tone-token-([a-z-]+)/.exec(colour ?? '')?.[1] ?? ''
}
