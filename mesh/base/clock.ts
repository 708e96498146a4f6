import { MeshError } from './errors.ts'

/** Port: time. The only source of dates and timers, so that tests run in virtual time. */
export interface Clock {
  /** Wall clock, ms since 1970. May jump. */
  now(): number
  /** Monotonic time in ms, with fractions; only differences mean something. */
  monotonic(): number
  /** For how long the processor has worked for this program, in ms; only differences mean something. Absent where nobody tells. */
  busyMs?(): number
  /** Runs `callback` once after `delayMs`; the returned function cancels it. */
  schedule(delayMs: number, callback: () => void): () => void
}

/** Resolves after `delayMs`. @throws MeshError `aborted` as soon as the signal is. */
export function sleep(
  clock: Clock,
  delayMs: number,
  options: { signal?: AbortSignal | undefined } = {},
): Promise<void> {
  const { signal } = options
  return new Promise((resolve, reject) => {
    if (signal?.aborted === true) {
      reject(abortReason(signal))
      return
    }
    const onAbort = (): void => {
      cancel()
      reject(abortReason(signal))
    }
    const cancel = clock.schedule(delayMs, () => {
      signal?.removeEventListener('abort', onAbort)
      resolve()
    })
    signal?.addEventListener('abort', onAbort, { once: true })
  })
}

/** The reason of an aborted signal as a MeshError: a MeshError given as reason is kept. */
export function abortReason(signal: AbortSignal | undefined): MeshError {
  const reason: unknown = signal?.reason
  if (reason instanceof MeshError) return reason
  return new MeshError('aborted', 'Stopped.', { cause: reason })
}

/** @throws MeshError `aborted` (or the MeshError given as reason) when the signal is aborted. */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) throw abortReason(signal)
}

/**
 * A signal that aborts with code `timeout` after `timeoutMs` or with the parent,
 * whichever is first. Call `clear` when the work is done.
 */
export function deadline(
  clock: Clock,
  timeoutMs: number,
  what: string,
  parent?: AbortSignal,
): { readonly signal: AbortSignal; clear(): void } {
  const controller = new AbortController()
  const cancel = clock.schedule(timeoutMs, () => {
    controller.abort(
      new MeshError('timeout', `${what} took longer than ${String(timeoutMs)} ms.`, { detail: { timeoutMs } }),
    )
  })
  const onAbort = (): void => {
    controller.abort(abortReason(parent))
  }
  if (parent?.aborted === true) onAbort()
  else parent?.addEventListener('abort', onAbort, { once: true })
  return {
    signal: controller.signal,
    clear() {
      cancel()
      parent?.removeEventListener('abort', onAbort)
    },
  }
}
