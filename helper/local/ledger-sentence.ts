import { IntlMessageFormat } from 'intl-messageformat'
import words from '../../app/i18n/en.json' with { type: 'json' }
import type { LedgerLine } from '../../mesh/people-types.ts'

const WORDS: Readonly<Record<string, string>> = words

/**
 * The sentence of an entry, the same as on the page and from the same words. `by` is
 * how the one who signed is called here. An entry of a newer version has a sentence
 * that says so.
 */
export function ledgerSentence({ key, values }: LedgerLine['sentence'], by: string): string {
  const known = `ledger.${key}`
  const message = (Object.hasOwn(WORDS, known) ? WORDS[known] : WORDS['ledger.unknown']) ?? ''
  const role = `role.a.${String(values['role'] ?? 'member')}`
  const format = new IntlMessageFormat(message, 'en', undefined, { ignoreTag: true })
  const text = format.format({
    by,
    name: values['name'] ?? values['person'] ?? '…',
    person: values['person'] ?? values['name'] ?? '…',
    role: (Object.hasOwn(WORDS, role) ? WORDS[role] : undefined) ?? '…',
    generation: values['generation'] ?? 0,
    count: values['count'] ?? 0,
  })
  return String(text)
}

/** Why an entry has no effect, by the name of the rule that set it aside. */
export function ruleSentence(rule: string | undefined): string {
  const known = `ledger.rule.${rule ?? ''}`
  return (Object.hasOwn(WORDS, known) ? WORDS[known] : WORDS['ledger.rule.other']) ?? ''
}

/** How the owner of this device is called in a sentence. */
export const YOU = WORDS['ledger.you'] ?? ''
