import type { MessageId, RoomId } from '../../base/index.ts'
import { excerptFrom } from '../words.ts'
import { SEARCH_MAX_LENGTH, SEARCH_RESULTS_MAX, SEARCH_SCAN_MAX_LENGTH, SEARCH_WORDS_MAX } from './limits.ts'
import type { RoomSearch } from './rooms.ts'

/** One text that may be found. */
export interface SearchText {
  readonly room: RoomId
  readonly message: MessageId
  readonly writtenAt: number
  readonly text: string
}

/** A text as it is compared: without case, accents and forms of the same letter. */
export function plainText(text: string): string {
  return (
    text
      .normalize('NFKD')
      .replace(/\p{M}/gu, '')
      .toLocaleLowerCase('en')
      // lower-casing may bring marks of its own
      .replace(/\p{M}/gu, '')
  )
}

/**
 * The newest texts that hold every word, wherever it stands in a word of the text.
 * Ends at its bounds and says so.
 */
export function searchTexts(newestFirst: Iterable<SearchText>, wanted: string): RoomSearch {
  const words = plainText(wanted.slice(0, SEARCH_MAX_LENGTH))
    .split(/\s+/u)
    .filter((word) => word !== '')
    .slice(0, SEARCH_WORDS_MAX)
  const found: RoomSearch['found'][number][] = []
  if (words.length === 0) return { found, whole: true }
  let scannedLength = 0
  for (const { room, message, text } of newestFirst) {
    if (found.length >= SEARCH_RESULTS_MAX || scannedLength >= SEARCH_SCAN_MAX_LENGTH) return { found, whole: false }
    scannedLength += text.length
    const plain = plainText(text)
    if (!words.every((word) => plain.includes(word))) continue
    found.push({ room, message, excerpt: excerptAround(text, plain.indexOf(words[0] ?? '')) })
  }
  return { found, whole: true }
}

/** The line around a place. Marks taken off move it a little: the excerpt begins well before. */
function excerptAround(text: string, at: number): string {
  if (at < 60) return excerptFrom(text)
  let start = text.lastIndexOf(' ', at - 40) + 1
  if (at - start > 80) start = at - 40
  // never begin inside a pair
  if ((text.charCodeAt(start) & 0xfc00) === 0xdc00) start += 1
  return `…${excerptFrom(text.slice(start))}`
}
