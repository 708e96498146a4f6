import { ROOM_MENTIONS_MAX, type PersonId } from '../../../../mesh/base/index.ts'
import type { Mention } from '../../../../mesh/state/index.ts'

/** Whom one may address, by the name that stands behind the `@`. */
export interface Addressee {
  readonly mention: Mention
  readonly name: string
}

/** A piece of a message: plain, or the name of somebody addressed. */
export interface Segment {
  readonly text: string
  readonly isMention: boolean
}

/** The AI's name in a message. */
export const AI_NAME = 'ai'

/** Everybody who may be addressed in a room: the AI first, then the others by name. */
export function addresseesOf(people: readonly { readonly id: PersonId; readonly name: string }[]): Addressee[] {
  return [{ mention: 'ai', name: AI_NAME }, ...people.map(({ id, name }) => ({ mention: id, name }))]
}

/** What is being written behind an `@` at the caret, and where that begins; nothing elsewhere. */
export function mentionAt(text: string, caret: number): { readonly from: number; readonly wanted: string } | undefined {
  const before = text.slice(0, caret)
  const found = /(?:^|[\s(])@([^\s@]{0,40})$/u.exec(before)
  if (found === null) return undefined
  const wanted = found[1] ?? ''
  return { from: caret - wanted.length - 1, wanted }
}

/** Those whose name, or a word of it, begins so. At most eight. */
export function matching(addressees: readonly Addressee[], wanted: string): readonly Addressee[] {
  const begin = wanted.toLocaleLowerCase()
  return addressees
    .filter(({ name }) =>
      name
        .toLocaleLowerCase()
        .split(/\s+/)
        .some((word) => word.startsWith(begin)),
    )
    .slice(0, 8)
}

/** Signs that are looked at in one text, and names that are found in it: a text of nothing else would be drawn in thousands of pieces. */
const SIGNS_MAX = 256

/**
 * A text in pieces, those who are addressed apart. The longest name that fits is meant; as many
 * as an operation may name, and what stands behind them is text.
 */
export function segmentsOf(text: string, addressees: readonly Addressee[]): Segment[] {
  const byLength = addressees
    .map(({ name }) => ({ length: name.length, lower: name.toLocaleLowerCase() }))
    .sort((a, b) => b.length - a.length)
  const segments: Segment[] = []
  let plainFrom = 0
  let found = 0
  let looked = 0
  for (let at = text.indexOf('@'); at >= 0; at = text.indexOf('@', at + 1)) {
    if (found === ROOM_MENTIONS_MAX || looked === SIGNS_MAX) break
    looked += 1
    const end = mentionEnd(text, at, byLength)
    if (end === undefined) continue
    found += 1
    if (at > plainFrom) segments.push({ text: text.slice(plainFrom, at), isMention: false })
    segments.push({ text: text.slice(at, end), isMention: true })
    plainFrom = end
    at = end - 1
  }
  if (plainFrom < text.length) segments.push({ text: text.slice(plainFrom), isMention: false })
  return segments
}

/** Whom a text addresses. */
export function mentionsIn(text: string, addressees: readonly Addressee[]): Mention[] {
  const named = new Set(
    segmentsOf(text, addressees)
      .filter((segment) => segment.isMention)
      .map((segment) => segment.text.slice(1).toLocaleLowerCase()),
  )
  return addressees.filter(({ name }) => named.has(name.toLocaleLowerCase())).map(({ mention }) => mention)
}

interface LoweredName {
  readonly length: number
  readonly lower: string
}

function mentionEnd(text: string, at: number, names: readonly LoweredName[]): number | undefined {
  // an address of mail addresses nobody here
  if (at > 0 && /[\p{L}\p{N}.]/u.test(text.charAt(at - 1))) return undefined
  for (const { length, lower } of names) {
    const end = at + 1 + length
    if (text.slice(at + 1, end).toLocaleLowerCase() !== lower) continue
    if (/^[\p{L}\p{N}]/u.test(text.slice(end, end + 2))) continue
    return end
  }
  return undefined
}
