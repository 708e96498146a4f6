import { expect, test } from 'vitest'
import { strengthOf } from '../../../app/parts/passphrase-strength.ts'
import { isRight, questionsFor } from '../../../app/views/security/parts/recovery-check.ts'
import { FAKE_RECOVERY } from '../../kit/fake-recovery.ts'

test('three words of all thirds are asked for, and the end of every part', () => {
  const words = questionsFor('words', FAKE_RECOVERY)
  expect(words.map(({ number }) => Math.ceil(number / 4))).toEqual([1, 2, 3])
  for (const { number, answer } of words) expect(answer).toBe(FAKE_RECOVERY.words[number - 1])
  const parts = questionsFor('parts', FAKE_RECOVERY)
  expect(parts.map(({ number, answer }) => [number, answer])).toEqual(
    FAKE_RECOVERY.parts.map(({ number, text }) => [number, text.slice(-4)]),
  )
  const [first] = words
  if (first === undefined) throw new TypeError('nothing is asked')
  expect([` ${first.answer.toUpperCase()} `, first.answer.slice(1), ''].map((typed) => isRight(first, typed))).toEqual([
    true,
    false,
    false,
  ])
})

test('a passphrase is judged by its shape', () => {
  const judged = [
    'kurz',
    'aaaaaaaaaaaaaaaa',
    'correcthorse',
    'correct horse one',
    'four herons in the rain',
    'x8!kQ2#vLp0$zR7^mT4&w',
  ]
  expect(judged.map(strengthOf)).toEqual(['short', 'weak', 'weak', 'fair', 'good', 'good'])
})
