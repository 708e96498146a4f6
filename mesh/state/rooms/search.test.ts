import { describe, expect, test } from 'vitest'
import { ROOM_TEXT_MAX_LENGTH, type MessageId, type RoomId } from '../../base/index.ts'
import { createVirtualClock } from '../../../tests/kit/clock.ts'
import { systemClock } from '../../../helper/ports/clock.ts'
import { SEARCH_SCAN_MAX_LENGTH, SEARCH_WORK_MAX_MS } from './limits.ts'
import { createSearches, plainText, type SearchText } from './search.ts'

const textsOf = (...texts: string[]): SearchText[] =>
  texts.map((text, index) => ({
    room: 'r' as RoomId,
    message: `m${String(index)}` as MessageId,
    writtenAt: -index,
    text,
  }))

/** One letter that becomes eighteen. */
const EXPANDS = '\uFDFA'

/** How long the thread was held at most while something was waited for, and how long the processor was at it, in ms. */
async function held<Value>(work: () => Promise<Value>): Promise<{ value: Value; longestMs: number; workMs: number }> {
  let longestMs = 0
  let at = performance.now()
  const timer = setInterval(() => {
    longestMs = Math.max(longestMs, performance.now() - at)
    at = performance.now()
  }, 1)
  const before = process.cpuUsage()
  const value = await work()
  await new Promise((resolve) => setTimeout(resolve, 5))
  clearInterval(timer)
  const { user, system } = process.cpuUsage(before)
  return { value, longestMs, workMs: (user + system) / 1_000 }
}

describe('a search', () => {
  test('over letters that become many when they are compared gives the thread back, and ends', async () => {
    const text = EXPANDS.repeat(ROOM_TEXT_MAX_LENGTH)
    const texts = textsOf(...Array.from({ length: Math.floor(SEARCH_SCAN_MAX_LENGTH / text.length) }, () => text))
    const searches = createSearches(systemClock)
    const first = await held(() => searches.search('', texts, 'zzz'))
    console.info(
      `${String(texts.length)} messages: ${first.workMs.toFixed(0)} ms, at once ${first.longestMs.toFixed(0)} ms`,
    )
    expect(first.value).toEqual({ found: [], whole: false })
    expect(first.longestMs).toBeLessThan(250)
    expect(first.workMs).toBeLessThan(3 * SEARCH_WORK_MAX_MS)
  }, 60_000)

  test('makes nothing comparable twice', async () => {
    const searches = createSearches(createVirtualClock())
    const texts = textsOf(...Array.from({ length: 8 }, () => EXPANDS.repeat(ROOM_TEXT_MAX_LENGTH)))
    const first = await held(() => searches.search('', texts, 'zzz'))
    const again = await held(() => searches.search('', texts, 'zzzz'))
    expect(again.value).toEqual({ found: [], whole: true })
    expect(again.workMs).toBeLessThan(first.workMs / 2)
  }, 60_000)

  test('ends where it is when another one of the same scope begins, and finds what was edited', async () => {
    const clock = createVirtualClock()
    // each piece takes as long as a search may go on at once
    const slow = {
      ...clock,
      monotonic: () => (at += 10),
      schedule: (_: number, then: () => void) => (setTimeout(then), () => undefined),
    }
    let at = 0
    const searches = createSearches(slow)
    const texts = textsOf('Käse', 'Brot', 'Käse')
    const before = searches.search('', texts, 'kase')
    const other = searches.search('room', texts, 'kase')
    const after = searches.search('', texts, 'brot')
    expect((await before).whole).toBe(false)
    expect((await other).found).toHaveLength(2)
    expect((await after).found.map(({ message }) => message)).toEqual(['m1'])
    expect(
      (await searches.search('', textsOf('Tee', 'Brot', 'Käse'), 'kase')).found.map(({ message }) => message),
    ).toEqual(['m2'])
  })

  test('compares texts the same, in pieces of whatever size', async () => {
    const clock = createVirtualClock()
    const long = 'ΟΔΥΣΣΕΥΣ Łódź e\u0301 İstanbul 한국어 🙂 ﬃ '.repeat(300)
    for (const word of ['οδυσσευσ', 'ŁÓDŹ', 'é', 'istanbul', '한국', '🙂', 'ffi'])
      expect([word, (await createSearches(clock).search('', textsOf(long), word)).found.length]).toEqual([word, 1])
    for (let cut = 0; cut < 45; cut++)
      if ((long.charCodeAt(cut) & 0xfc00) !== 0xdc00)
        expect(plainText(long.slice(0, cut)) + plainText(long.slice(cut))).toBe(plainText(long))
  })
})
