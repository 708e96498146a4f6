import type { LedgerLine } from '../../mesh/people-types.ts'
import en from './en.json'
import { t, type MessageKey, type MessageValues } from './translate.ts'

/** A piece of a sentence; names of people and devices are strong. */
export interface SentencePart {
  readonly text: string
  readonly strong: boolean
}

// A name stands between isolates, so that one written from right to left does not
// turn the words around it; they also tell where a name begins and ends.
const BEGIN = '\u2068'
const END = '\u2069'
const ISOLATES = /[\u2066-\u2069]/g

/**
 * The sentence of an entry in pieces. `by` is how the one who signed is called here:
 * a name, or "You". An entry of a newer version has a sentence that says so.
 */
export function ledgerParts(sentence: LedgerLine['sentence'], by: string): readonly SentencePart[] {
  const text = t(keyOf(sentence.key), valuesOf(sentence.values, by))
  return text.split(BEGIN).flatMap((piece, at) => {
    if (at === 0) return part(piece, false)
    const [name = '', rest = ''] = piece.split(END)
    return [...part(name, true), ...part(rest, false)]
  })
}

/** The same in one piece, for files. */
export function ledgerSentence(sentence: LedgerLine['sentence'], by: string): string {
  return ledgerParts(sentence, by)
    .map((piece) => piece.text)
    .join('')
}

/** Why an entry has no effect, by the name of the rule that set it aside. */
export function ruleSentence(rule: string | undefined): string {
  const key = `ledger.rule.${rule ?? ''}`
  return t(isKey(key) ? key : 'ledger.rule.other')
}

function part(text: string, strong: boolean): SentencePart[] {
  return text === '' ? [] : [{ text, strong }]
}

function keyOf(key: string): MessageKey {
  const known = `ledger.${key}`
  return isKey(known) ? known : 'ledger.unknown'
}

/** Everything a sentence may name, so that an entry that lacks something still reads. */
function valuesOf(values: MessageValues, by: string): MessageValues {
  const named = (value: string | number | undefined): string =>
    `${BEGIN}${String(value ?? '…').replace(ISOLATES, '')}${END}`
  const role = `role.a.${String(values['role'] ?? 'member')}`
  return {
    by: named(by),
    name: named(values['name'] ?? values['person']),
    person: named(values['person'] ?? values['name']),
    role: isKey(role) ? t(role) : '…',
    generation: values['generation'] ?? 0,
    count: values['count'] ?? 0,
  }
}

function isKey(key: string): key is MessageKey {
  return Object.hasOwn(en, key)
}
