import type { EngineEvent } from './protocol.ts'

/** Longest time a piece of text waits for company on its way to the helper. */
const WAIT_MS = 12

/** Gathers pieces of text, so that fast models do not send one message for each token. */
export interface TextBatch {
  /** The text that one more token made certain; may be empty. */
  add(text: string): void
  /** Text that was held back, of tokens already counted. */
  addRest(text: string): void
  flush(): void
  /** Drops what was not sent. */
  close(): void
}

/** The first piece goes out at once: it is the one somebody waits for. */
export function createTextBatch(emit: (event: EngineEvent) => void): TextBatch {
  let text = ''
  let tokenCount = 0
  let sentAny = false
  let timer: NodeJS.Timeout | undefined

  const flush = (): void => {
    clearTimeout(timer)
    timer = undefined
    if (text === '') return
    emit({ type: 'text', text, tokenCount })
    sentAny = true
    text = ''
    tokenCount = 0
  }
  return {
    add(piece) {
      text += piece
      tokenCount += 1
      if (!sentAny) flush()
      else if (text !== '') timer ??= setTimeout(flush, WAIT_MS)
    },
    addRest(piece) {
      text += piece
    },
    flush,
    close() {
      clearTimeout(timer)
      text = ''
    },
  }
}
