import type { MessageView } from '../../../../mesh/state/index.ts'
import { errorSentence, t } from '../../../i18n/index.ts'

/** Why an answer failed and what to do. An answer that only waited says so: no device went away, none had come. */
export function failureWords(message: Pick<MessageView, 'error' | 'route' | 'text' | 'elsewhere'>): string {
  const { elsewhere } = message
  if (elsewhere !== undefined && elsewhere !== '') return t('message.writerAway', { device: elsewhere })
  const code = message.error?.code ?? 'bug'
  if (code === 'removed' && message.text !== '') return t('message.removedMidway')
  // nobody stops an answer into failing: its page was closed, or another tab took over
  if (code !== 'aborted') return errorSentence(code)
  return t(message.text === '' && message.route === undefined ? 'message.neverTaken' : 'message.pageLeft')
}
