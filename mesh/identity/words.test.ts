import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { createSeededRandom } from '../../tests/kit/random.ts'
import { makeWords, readWords, secretOfWords, WORD_COUNT } from './words.ts'

test('words typed with other case, signs, numbers or only their beginnings are the words that were shown', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 1e9 }), fc.constantFrom(' ', ', ', '\n', ' – ', '.'), (seed, between) => {
      const words = makeWords(createSeededRandom(seed))
      expect(words).toHaveLength(WORD_COUNT)
      expect(readWords(words.map((word, index) => `${String(index + 1)} ${word.toUpperCase()}`).join(between))).toEqual(
        words,
      )
      expect(readWords(words.map((word) => (word.length > 4 ? `${word.slice(0, 4)}x` : word)).join(between))).toEqual(
        words,
      )
    }),
  )
})

test('too few words, too many, or one that is none are said', () => {
  expect(() => readWords('abandon ability')).toThrow(/these are 2/)
  expect(() => readWords('abandon ability able about above qqqqq')).toThrow(/"qqqqq"/)
})

test('the same words give the same secret, others another', async () => {
  const words = makeWords(createSeededRandom(1))
  const secret = await secretOfWords(words)
  expect(secret).toHaveLength(16)
  expect(await secretOfWords([...words])).toEqual(secret)
  expect(await secretOfWords([...words].reverse())).not.toEqual(secret)
})
