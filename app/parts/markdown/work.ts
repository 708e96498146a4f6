/**
 * What reading a text as Markdown may cost. The library's time grows with the square
 * of what it looks at in several places, so the worst of a piece is told from its
 * shape, in one pass, before it is given to it.
 */

/** Units one text may cost: some forty milliseconds of the worst one known. Beyond: what is left stays as it was written. */
export const MARKDOWN_MAX_UNITS = 3_000_000
/** Quotes and lists inside one another, and emphasis and links inside one another. Deeper: plain text. */
export const MARKDOWN_MAX_DEPTH = 16

/** Characters that make the reader of lines look around. */
const MARKS = /[*_~[\]()<>!`&@\\:.]/g
/** What could be the front of a mail address, and is looked at once from each of its letters. */
const ADDRESS_FRONTS = /[\w.+-]{40,}/g
/** Cells of a table cost more than their letters: each becomes an element, also where a row leaves it out. */
const UNITS_PER_CELL = 64

/** The worst cost of the inside of a paragraph, in units. */
export function inlineUnits(text: string): number {
  let units = text.length * (countOf(text, MARKS) + 1)
  for (const [front] of text.matchAll(ADDRESS_FRONTS)) units += front.length ** 2
  return units
}

/** Lines that are read together, and the worst cost of telling their blocks apart, in units. */
export interface BlockGroup {
  readonly text: string
  readonly units: number
}

const BLANK = /^[ \t]*$/
/** Continues the list or quote above it even after an empty line. */
const CONTAINED = /^(?:[ \t]|>|[-*+](?:[ \t]|$)|\d{1,9}[.)](?:[ \t]|$))/
const FENCE = /^( {0,3})(`{3,}|~{3,})/
const DELIMITER_ROW = /^[ \t|:-]*\|[ \t|:-]*$/

/** The text cut where nothing reaches over: at empty lines outside lists, and around fences. */
export function blockGroups(text: string): BlockGroup[] {
  const groups: BlockGroup[] = []
  let lines: string[] = []
  let isContaining = false
  let fence: string | undefined
  const close = (): void => {
    if (lines.length > 0) groups.push(groupOf(lines, fence !== undefined))
    lines = []
    isContaining = false
  }
  let wasBlank = false
  for (const line of text.split('\n')) {
    const mark = FENCE.exec(line)
    if (fence !== undefined) {
      lines.push(line)
      const isEnd = mark?.[2]?.startsWith(fence) === true && BLANK.test(line.slice(mark[0].length))
      if (isEnd) close()
      if (isEnd) fence = undefined
      continue
    }
    // an indented fence inside a list belongs to its item
    if (mark?.[2] !== undefined && (mark[1] === '' || !isContaining)) {
      close()
      fence = mark[2]
      lines.push(line)
      continue
    }
    if (wasBlank && !BLANK.test(line) && !CONTAINED.test(line)) close()
    wasBlank = BLANK.test(line)
    isContaining ||= CONTAINED.test(line)
    lines.push(line)
  }
  close()
  return groups
}

function groupOf(lines: readonly string[], isFence: boolean): BlockGroup {
  const text = `${lines.join('\n')}\n`
  if (isFence) return { text, units: text.length }
  const columns = lines.reduce(
    (most, line) => (DELIMITER_ROW.test(line) ? Math.max(most, line.split('|').length) : most),
    0,
  )
  return { text, units: lines.length * (text.length + columns * UNITS_PER_CELL) }
}

function countOf(text: string, pattern: RegExp): number {
  let count = 0
  pattern.lastIndex = 0
  while (pattern.test(text)) count += 1
  return count
}
