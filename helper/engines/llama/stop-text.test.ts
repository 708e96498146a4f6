import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createStopFilter } from './stop-text.ts'

/** The text a filter lets through when it is given the pieces one by one. */
function run(pieces: readonly string[], stops: readonly string[]): { text: string; stopped: boolean } {
  const filter = createStopFilter(stops)
  let text = ''
  for (const piece of pieces) {
    const step = filter.push(piece)
    text += step.text
    if (step.stopped) return { text, stopped: true }
  }
  return { text: text + filter.flush(), stopped: false }
}

describe('stop strings', () => {
  test('a stop string spread over three pieces ends the text before it', () => {
    expect(run(['one, ', 'E', 'N', 'D two'], ['END'])).toEqual({ text: 'one, ', stopped: true })
  })

  test('text that only looked like the beginning of a stop string is given out whole', () => {
    expect(run(['a E', 'N', 'C'], ['END'])).toEqual({ text: 'a ENC', stopped: false })
  })

  test('text that could still become a stop string is held back', () => {
    expect(createStopFilter(['END']).push('go EN')).toEqual({ text: 'go ', stopped: false })
  })

  test('the first of several stop strings to be complete wins', () => {
    expect(run(['x two y one'], ['one', 'two'])).toEqual({ text: 'x ', stopped: true })
  })

  test('however the text is cut into pieces, the outcome is the one of the whole text', () => {
    const letters = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), maxLength: 30 })
    const stops = fc.array(fc.string({ unit: fc.constantFrom('a', 'b', 'c'), minLength: 1, maxLength: 4 }), {
      maxLength: 4,
    })
    fc.assert(
      fc.property(fc.array(letters, { maxLength: 8 }), stops, (pieces, given) => {
        const whole = pieces.join('')
        expect(run(pieces, given)).toEqual(run([...whole], given))
        if (!given.some((stop) => whole.includes(stop))) {
          expect(run(pieces, given)).toEqual({ text: whole, stopped: false })
        }
      }),
    )
  })
})
