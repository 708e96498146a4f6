import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { excerptFrom, shorten, titleFrom } from './words.ts'

describe('a title', () => {
  it.each([
    ['How far is the moon? In kilometres, please.', 'How far is the moon?'],
    ['Write a poem. Make it short.', 'Write a poem'],
    ['\n\n## Fix this\ncode', 'Fix this'],
    ['1. first thing\n2. second', 'first thing'],
    ['What does node.js 3.5 do', 'What does node.js 3.5 do'],
    ['月までの距離は？キロで。', '月までの距離は？'],
    ['e.g. this one. Not that.', 'e.g. this one'],
    ['***', '***'],
    ['   ', ''],
  ])('of %j is %j', (text, title) => {
    expect(titleFrom(text)).toBe(title)
  })

  it('has at most 60 characters and never half of one', () => {
    expect(titleFrom('word '.repeat(40))).toBe(`${'word '.repeat(11)}word…`)
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 200 }), (text) => {
        const title = titleFrom(text)
        expect(Array.from(title).length).toBeLessThanOrEqual(60)
        expect(title.isWellFormed()).toBe(true)
        expect(excerptFrom(text).isWellFormed()).toBe(true)
      }),
    )
    expect(shorten('👩‍👩‍👧'.repeat(3), 8)).toBe('👩‍👩‍👧…')
  })
})
