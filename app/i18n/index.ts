/**
 * Words: every sentence of the page, picked by key and filled in by ICU rules.
 * Promises that a key always has words and that numbers, dates, sizes and times
 * are written as the person's locale writes them. Knows nothing of screens.
 */
export { errorSentence } from './errors.ts'
export {
  formatBytes,
  formatClock,
  formatCountdown,
  formatDate,
  formatDateTime,
  formatDay,
  formatDuration,
  formatNumber,
  formatPercent,
  formatRate,
  formatRecency,
  formatTokenRate,
} from './format.ts'
export { ledgerParts, ledgerSentence, ruleSentence, type SentencePart } from './ledger-words.ts'
export { pictureName } from './pictures.ts'
export { locale, t, type MessageKey, type MessageValues } from './translate.ts'
