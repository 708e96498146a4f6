import type { RecoveryDraft } from '../../../../mesh/recovery-types.ts'

/** One thing to be typed back. */
export interface Question {
  /** The place of the word, or the number of the part. */
  readonly number: number
  readonly answer: string
}

/** Words that are asked for, spread over the whole: who copied them one line short is found out. */
const ASKED = 3

/** What shows that a draft was written down: some of its words, or the end of every part. */
export function questionsFor(kind: 'words' | 'parts', draft: RecoveryDraft): readonly Question[] {
  if (kind === 'parts') return draft.parts.map(({ number, text }) => ({ number, answer: text.split('-').at(-1) ?? '' }))
  const every = draft.words.length / ASKED
  return Array.from({ length: ASKED }, (_, at) => {
    // from the words themselves: other places each time, and nothing random on a screen
    const offset = (draft.words[at]?.length ?? 0) % every
    const index = Math.floor(at * every) + offset
    return { number: index + 1, answer: draft.words[index] ?? '' }
  })
}

/** Case and spaces do not count. */
export function isRight({ answer }: Question, typed: string): boolean {
  return typed.trim().toLowerCase() === answer.toLowerCase()
}
