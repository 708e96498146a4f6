import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createPieceDecoder } from './piece-decoder.ts'

/** A vocabulary whose tokens are the bytes of UTF-8. */
const bytesToText = (tokens: readonly number[]): string => new TextDecoder().decode(Uint8Array.from(tokens))

function pieces(text: string): string[] {
  const decoder = createPieceDecoder(bytesToText)
  const out = [...new TextEncoder().encode(text)].map((byte) => decoder.push(byte))
  return [...out, decoder.flush()]
}

describe('text out of tokens', () => {
  test('a character of four byte tokens is given out whole', () => {
    expect(pieces('a🌍b').filter((piece) => piece !== '')).toEqual(['a', '🌍', 'b'])
  })

  test('any text in byte tokens comes out as it was, and no piece holds half a character', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 40 }), (raw) => {
        const text = raw.toWellFormed().replaceAll('\uFFFD', '?')
        const out = pieces(text)
        expect(out.join('')).toBe(text)
        expect(out.some((piece) => piece.includes('\uFFFD'))).toBe(false)
      }),
    )
  })

  test('bytes that never make a character do not hold the text up', () => {
    const decoder = createPieceDecoder(bytesToText)
    const out = [0xff, 0xff, 0xff, 0xff, 0x41].map((byte) => decoder.push(byte)).join('')
    expect(out.endsWith('A')).toBe(true)
  })
})
