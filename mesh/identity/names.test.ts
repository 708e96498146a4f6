import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { createSeededRandom } from '../../tests/kit/random.ts'
import { cleanName, generateDeviceName, NAME_MAX_LENGTH } from './names.ts'

test('a generated name is two words', () => {
  expect(generateDeviceName(createSeededRandom(1))).toMatch(/^[A-Z][a-z]+ [A-Z][a-z]+$/)
})

test('a name cannot break the line, hide characters or turn the direction of writing', () => {
  expect(cleanName('  Ali\u202Ece\u0000\n\u200B desk  top ')).toBe('Ali ce desk top')
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 200 }), (text) => {
      const name = cleanName(text)
      expect(name.length).toBeLessThanOrEqual(NAME_MAX_LENGTH)
      expect(name).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u)
      expect(cleanName(name)).toBe(name)
    }),
  )
})

test('a name made of letters that are drawn as nothing is empty, and none ends in half a character', () => {
  expect(cleanName('\u3164\u115f\uffa0\u2800')).toBe('')
  expect(cleanName(`${'a'.repeat(NAME_MAX_LENGTH - 1)}😀`)).toBe('a'.repeat(NAME_MAX_LENGTH - 1))
  expect(cleanName('left \ud83d alone')).toBe('left alone')
})
