import { sleep, type Clock, type MessageId, type RoomId } from '../../base/index.ts'
import { excerptFrom } from '../words.ts'
import {
  SEARCH_MAX_LENGTH,
  SEARCH_RESULTS_MAX,
  SEARCH_SCAN_MAX_LENGTH,
  SEARCH_SLICE_LENGTH,
  SEARCH_SLICE_MS,
  SEARCH_WORDS_MAX,
  SEARCH_WORK_MAX_MS,
} from './limits.ts'
import type { RoomSearch } from './rooms.ts'

// Letters may become eighteen when they are compared (U+FDFA), and each search would make them so
// again: a search counts what it works on, and keeps that with the text.

/** One text that may be found. */
export interface SearchText {
  readonly room: RoomId
  readonly message: MessageId
  readonly writtenAt: number
  readonly text: string
}

/** Looks through texts, a little at a time, and remembers how they are compared. */
export interface Searches {
  /**
   * The newest texts that hold every word, wherever it stands in a word of the text. Ends at its
   * bounds and says so; also as soon as another search of the same scope begins.
   */
  search(scope: string, newestFirst: Iterable<SearchText>, wanted: string): Promise<RoomSearch>
}

/** Nothing is remembered yet. */
export function createSearches(clock: Clock): Searches {
  const forms = createForms()
  const newest = new Map<string, object>()

  return {
    async search(scope, newestFirst, wanted) {
      const words = wordsOf(wanted)
      const found: RoomSearch['found'][number][] = []
      if (words.length === 0) return { found, whole: true }
      const self = {}
      newest.set(scope, self)
      const work = createWork(clock, () => newest.get(scope) !== self)
      let workedLength = 0
      try {
        for (const one of newestFirst) {
          if (found.length >= SEARCH_RESULTS_MAX || workedLength >= SEARCH_SCAN_MAX_LENGTH)
            return { found, whole: false }
          const plain = await forms.plain(one, work)
          if (plain === undefined) return { found, whole: false }
          workedLength += Math.max(one.text.length, plain.length)
          if (!words.every((word) => plain.includes(word))) continue
          const { room, message, text } = one
          found.push({ room, message, excerpt: excerptAround(text, plain.indexOf(words[0] ?? '')) })
        }
        return { found, whole: true }
      } finally {
        if (newest.get(scope) === self) newest.delete(scope)
      }
    },
  }
}

/** Work that gives the thread back. */
interface Work {
  /** Called between small pieces: undefined, go on; else whether to go on after it. */
  pause(): Promise<boolean> | undefined
}

function createWork(clock: Clock, isOver: () => boolean): Work {
  let workedMs = 0
  let startedAt = clock.monotonic()
  return {
    pause() {
      const elapsedMs = clock.monotonic() - startedAt
      if (elapsedMs < SEARCH_SLICE_MS) return undefined
      workedMs += elapsedMs
      if (workedMs >= SEARCH_WORK_MAX_MS) return Promise.resolve(false)
      return sleep(clock, 0).then(() => {
        startedAt = clock.monotonic()
        return !isOver()
      })
    },
  }
}

interface Forms {
  /** A text as it is compared; undefined when the work is over before. */
  plain(one: SearchText, work: Work): Promise<string | undefined>
}

/** Remembers as much as one search looks at, those made last. */
function createForms(): Forms {
  const known = new Map<MessageId, { readonly text: string; readonly plain: string }>()
  let length = 0

  const forget = (message: MessageId): void => {
    length -= known.get(message)?.plain.length ?? 0
    known.delete(message)
  }
  const keep = (message: MessageId, text: string, plain: string): void => {
    forget(message)
    known.set(message, { text, plain })
    length += plain.length
    for (const oldest of known.keys()) {
      if (length <= SEARCH_SCAN_MAX_LENGTH) return
      forget(oldest)
    }
  }

  return {
    async plain({ message, text }, work) {
      const before = known.get(message)
      if (before?.text === text) return (await mayGoOn(work)) ? before.plain : undefined
      const pieces: string[] = []
      for (let at = 0; at < text.length;) {
        if (!(await mayGoOn(work))) return undefined
        const end = pieceEnd(text, at)
        pieces.push(plainText(text.slice(at, end)))
        at = end
      }
      const plain = pieces.join('')
      // of what is compared as it stands there is nothing to spare
      if (!isAscii(text)) keep(message, text, plain)
      return plain
    },
  }
}

async function mayGoOn(work: Work): Promise<boolean> {
  const pausing = work.pause()
  return pausing === undefined || (await pausing)
}

/** Never between the halves of a pair. */
function pieceEnd(text: string, at: number): number {
  const end = Math.min(text.length, at + SEARCH_SLICE_LENGTH)
  return end < text.length && (text.charCodeAt(end) & 0xfc00) === 0xdc00 ? end + 1 : end
}

function isAscii(text: string): boolean {
  return /^[\0-\x7f]*$/u.test(text)
}

/** A text as it is compared: without case, accents and forms of the same letter; piece by piece it is the same. */
export function plainText(text: string): string {
  if (isAscii(text)) return text.toLowerCase()
  return (
    text
      .normalize('NFKD')
      .replace(/\p{M}/gu, '')
      .toLocaleLowerCase('en')
      // lower-casing may bring marks of its own
      .replace(/\p{M}/gu, '')
      // which of the two it is depends on what follows
      .replaceAll('ς', 'σ')
  )
}

function wordsOf(wanted: string): string[] {
  return plainText(wanted.slice(0, SEARCH_MAX_LENGTH))
    .split(/\s+/u)
    .filter((word) => word !== '')
    .slice(0, SEARCH_WORDS_MAX)
}

/** The line around a place. Marks taken off, and letters that become several, move it: the excerpt begins well before. */
function excerptAround(text: string, found: number): string {
  const at = Math.min(found, text.length)
  if (at < 60) return excerptFrom(text)
  let start = text.lastIndexOf(' ', at - 40) + 1
  if (at - start > 80) start = at - 40
  // never begin inside a pair
  if ((text.charCodeAt(start) & 0xfc00) === 0xdc00) start += 1
  return `…${excerptFrom(text.slice(start))}`
}
