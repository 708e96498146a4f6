import { abortReason } from './clock.ts'

/**
 * Values that arrive at their own pace, read one by one. Bounded: `push` says
 * false at the limit, and the producer decides what that means.
 */
export interface AsyncQueue<Value> extends AsyncIterable<Value> {
  /** False when the queue is full or ended; the value was not taken. */
  push(value: Value): boolean
  /** No more values follow; readers get what is queued first. */
  end(): void
  /** Readers get what is queued, then the error. */
  fail(error: unknown): void
  /** The next value, or undefined at the end. @throws the error given to `fail`, or `aborted`. */
  next(options?: { signal?: AbortSignal | undefined }): Promise<Value | undefined>
  readonly size: number
}

/** A queue of at most `limit` values. One reader at a time. */
export function createQueue<Value>(limit: number): AsyncQueue<Value> {
  const values: Value[] = []
  let state: 'open' | 'ended' | { error: unknown } = 'open'
  let wake: (() => void) | undefined

  const settle = (): void => {
    wake?.()
    wake = undefined
  }

  const next = async (options: { signal?: AbortSignal | undefined } = {}): Promise<Value | undefined> => {
    const { signal } = options
    for (;;) {
      if (signal?.aborted === true) throw abortReason(signal)
      if (values.length > 0) return values.shift()
      if (state === 'ended') return undefined
      if (state !== 'open') throw state.error
      await new Promise<void>((resolve) => {
        const onAbort = (): void => {
          resolve()
        }
        signal?.addEventListener('abort', onAbort, { once: true })
        wake = () => {
          signal?.removeEventListener('abort', onAbort)
          resolve()
        }
      })
    }
  }

  return {
    get size() {
      return values.length
    },
    push(value) {
      if (state !== 'open' || values.length >= limit) return false
      values.push(value)
      settle()
      return true
    },
    end() {
      if (state === 'open') state = 'ended'
      settle()
    },
    fail(error) {
      if (state === 'open') state = { error }
      settle()
    },
    next,
    async *[Symbol.asyncIterator]() {
      for (;;) {
        const value = await next()
        if (value === undefined) return
        yield value
      }
    },
  }
}
