import { isAbort, type Clock, type Logger } from '../../mesh/base/index.ts'
import type { AskEvent, Route } from '../../mesh/route/index.ts'

/** What a reader learned: an event of the ask, its end, or that nothing came in time. */
export type AskStep =
  { readonly type: 'event'; readonly event: AskEvent } | { readonly type: 'done' } | { readonly type: 'silence' }

/** An ask that is read step by step, with a look at the clock between. */
export interface AskReader {
  /** The route, once it is decided. */
  route(): Route | undefined
  /**
   * The next event, or `silence` after `timeoutMs` without one (it is not lost then).
   * @throws what the ask throws.
   */
  next(timeoutMs: number): Promise<AskStep>
  /** Nothing more is wanted: the ask may clean up. Call it after the end, or after its signal was aborted. */
  close(): void
}

/** Reads an ask with timeouts, without losing the event that comes after one. */
export function createAskReader(events: AsyncIterable<AskEvent>, clock: Clock, log: Logger): AskReader {
  const iterator = events[Symbol.asyncIterator]()
  let pending: Promise<AskStep> | undefined
  let route: Route | undefined

  const read = async (): Promise<AskStep> => {
    const result = await iterator.next()
    if (result.done === true) return { type: 'done' }
    const event = result.value
    if (event.type === 'route') route = event.route
    return { type: 'event', event }
  }

  return {
    route: () => route,
    async next(timeoutMs) {
      pending ??= read()
      let cancel = (): void => {}
      const silence = new Promise<AskStep>((resolve) => {
        cancel = clock.schedule(timeoutMs, () => {
          resolve({ type: 'silence' })
        })
      })
      try {
        const step = await Promise.race([pending, silence])
        if (step.type !== 'silence') pending = undefined
        return step
      } finally {
        cancel()
      }
    },
    close() {
      // not awaited: a generator that waits for something returns only when that came
      const closing = Promise.resolve(iterator.return?.())
      Promise.all([pending, closing]).catch((error: unknown) => {
        if (!isAbort(error)) log.warn('An ask failed while it was closed.', { error })
      })
    },
  }
}
