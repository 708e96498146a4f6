import { IntlMessageFormat } from 'intl-messageformat'
import en from './en.json'

/** Every key that has words. */
export type MessageKey = keyof typeof en

/** What a sentence may be filled with. */
export type MessageValues = Readonly<Record<string, string | number>>

const messages: Readonly<Record<MessageKey, string>> = en
const compiled = new Map<MessageKey, IntlMessageFormat>()

/**
 * The locale for numbers and dates: the person's own kind of English where the
 * browser names one, since the words are English too.
 */
export const locale: string = pickLocale(typeof navigator === 'undefined' ? [] : navigator.languages)

function pickLocale(wanted: readonly string[]): string {
  return wanted.find((tag) => /^en(-|$)/i.test(tag)) ?? 'en'
}

/** The words of a key with its values filled in. A sentence that lacks a value throws in tests and names the key in use. */
export function t(key: MessageKey, values?: MessageValues): string {
  const message = messages[key]
  if (values === undefined && !message.includes('{')) return message
  let format = compiled.get(key)
  if (format === undefined) {
    format = new IntlMessageFormat(message, locale, undefined, { ignoreTag: true })
    compiled.set(key, format)
  }
  return String(format.format(values))
}
