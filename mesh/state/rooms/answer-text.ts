/** A piece of an answer and where it begins, in UTF-16 units. */
export interface TextPart {
  readonly from: number
  readonly text: string
}

/**
 * The text that pieces make together, up to the first hole. Pieces may overlap: small
 * ones written while the answer grew, larger ones that took their place.
 */
export function joinParts(parts: readonly TextPart[]): string {
  // the longest at a place first, then by text: the result must not hang on what came first
  const sorted = [...parts].sort(
    (a, b) => a.from - b.from || b.text.length - a.text.length || (a.text < b.text ? -1 : a.text > b.text ? 1 : 0),
  )
  const pieces: string[] = []
  let end = 0
  for (const part of sorted) {
    if (part.from > end) break
    if (part.from + part.text.length <= end) continue
    pieces.push(part.text.slice(end - part.from))
    end = part.from + part.text.length
  }
  return pieces.join('')
}

/** Cuts a text into pieces of at most `maxLength` units, never inside a surrogate pair. */
export function cutParts(text: string, maxLength: number, from = 0): TextPart[] {
  const parts: TextPart[] = []
  for (let start = 0; start < text.length;) {
    let end = Math.min(start + maxLength, text.length)
    if (end < text.length && isHighSurrogate(text.charCodeAt(end - 1))) end -= 1
    parts.push({ from: from + start, text: text.slice(start, end) })
    start = end
  }
  return parts
}

function isHighSurrogate(unit: number): boolean {
  return unit >= 0xd800 && unit <= 0xdbff
}
