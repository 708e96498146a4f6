import type { HighlighterCore, LanguageInput } from 'shiki/core'

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

let highlighter: Promise<HighlighterCore> | undefined

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
  const lines = shiki.codeToTokensBase(code, { lang: id, theme: 'plexus' })
  return lines.flatMap((line, row) => [
    ...(row === 0 ? [] : [{ text: '\n', tone: '' }]),
    ...line.map((token) => ({ text: token.content, tone: toneOf(token.color) })),
  ])
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
