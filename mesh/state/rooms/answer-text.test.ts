import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { cutParts, joinParts } from './answer-text.ts'

describe('pieces of an answer', () => {
  it('make the text again in any order, small and large ones together', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'grapheme', maxLength: 300 }),
        fc.integer({ min: 2, max: 40 }),
        fc.integer({ min: 2, max: 90 }),
        fc.nat(),
        (text, small, large, seed) => {
          const parts = [...cutParts(text, small), ...cutParts(text, large)]
          const shuffled = parts.map((part, index) => ({ part, key: (index * 7919 + seed) % 101 }))
          shuffled.sort((a, b) => a.key - b.key)
          expect(joinParts(shuffled.map(({ part }) => part))).toBe(text)
          for (const part of parts) expect(part.text.isWellFormed()).toBe(text.isWellFormed())
        },
      ),
    )
  })

  it('end at the first hole', () => {
    expect(
      joinParts([
        { from: 6, text: 'there' },
        { from: 0, text: 'Hel' },
      ]),
    ).toBe('Hel')
  })

  it('say the same where two of them disagree', () => {
    const a = { from: 0, text: 'one' }
    const b = { from: 0, text: 'two' }
    expect(joinParts([a, b])).toBe(joinParts([b, a]))
  })
})
