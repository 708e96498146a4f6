import { DERIVED_TITLE_MAX_LENGTH, EXCERPT_MAX_LENGTH } from './limits.ts'

/** So much of a text is looked at for a title: patterns go over it, and a row of dots costs its square. */
const TITLE_FROM_LENGTH = 400

/** A title from a first message: its first sentence, at most 60 characters, without Markdown signs at its head. */
export function titleFrom(text: string): string {
  const line =
    text
      .trimStart()
      .slice(0, TITLE_FROM_LENGTH)
      .split(/\r?\n/)
      .map(oneLine)
      .find((part) => part !== '') ?? ''
  const plain = line.replace(/^(?:[#>*+\-\s]|\d+[.)]\s)+/u, '') || line
  const sentence = /^.{4,}?(?:[.!?…]+(?=\s|$)|[。！？])/u.exec(plain)?.[0] ?? plain
  // a full stop ends a sentence, not a title; a question stays one
  return shorten(sentence.replace(/(?<![.])[.。]$/u, ''), DERIVED_TITLE_MAX_LENGTH)
}

/** The beginning of a text on one line. */
export function excerptFrom(text: string): string {
  // a long answer needs no more than its beginning to be looked at
  return shorten(oneLine(text.slice(0, EXCERPT_MAX_LENGTH * 8)), EXCERPT_MAX_LENGTH)
}

function oneLine(text: string): string {
  return text.replace(/\s+/gu, ' ').trim()
}

/** At most `max` characters, cut at a word where one ends in the last third, never inside a character. */
export function shorten(text: string, max: number): string {
  const characters = Array.from(text)
  if (characters.length <= max) return text
  let end = max - 1
  const space = characters.lastIndexOf(' ', end)
  if (space > (max * 2) / 3) end = space
  // marks and joiners belong to the character before them
  else while (end > 1 && isInside(characters, end)) end -= 1
  return `${characters.slice(0, end).join('').trimEnd()}…`
}

/** True when a cut before `at` would tear a mark, a joiner or a joined pair from what it belongs to. */
function isInside(characters: readonly string[], at: number): boolean {
  return /^[\p{M}\u200d\ufe0f\u{1f3fb}-\u{1f3ff}]/u.test(characters[at] ?? '') || characters[at - 1] === '\u200d'
}
