import { formatPercent, t } from '../../../i18n/index.ts'
import type { LiveAnswer } from '../../../peer/app-peer.ts'

/** What an answer does now, in words with a number where there is one. */
export function phaseWords(live: LiveAnswer, words: number): string {
  switch (live.phase) {
    case 'waiting':
      if (live.waitsFor === 'model' && live.fraction !== undefined)
        return t('phase.waiting.modelPart', { part: formatPercent(live.fraction) })
      return t(`phase.waiting.${live.waitsFor ?? 'device'}`)
    case 'connecting':
      return t('phase.connecting')
    case 'queued':
      return t('phase.queued', { ahead: live.ahead ?? 0 })
    case 'loading':
      return live.fraction === undefined
        ? t('phase.loading')
        : t('phase.loadingPart', { part: formatPercent(live.fraction) })
    case 'reading':
      return live.fraction === undefined
        ? t('phase.reading')
        : t('phase.readingPart', { part: formatPercent(live.fraction) })
    case 'writing':
      return t('phase.writing', { count: words })
  }
}

/** How many words a text has, as a person counts them. */
export function countWords(text: string): number {
  return text.match(/\S+/g)?.length ?? 0
}
