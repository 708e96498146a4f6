import { MeshError } from '../../mesh/base/index.ts'

/** How long to wait and what for. */
export interface UntilOptions {
  /** Default 10 s. Generous on purpose: it is a deadline, never a measure. */
  readonly timeoutMs?: number
  /** Completes the sentence "Waited … ms for". */
  readonly what: string
}

const POLL_MS = 5

/**
 * Waits until `condition` gives something other than false, null or undefined, and
 * resolves to it. A condition that throws counts as not yet; its last error is the
 * cause of the `timeout`.
 */
export async function until<Value>(
  condition: () => Value | Promise<Value>,
  options: UntilOptions,
): Promise<Exclude<Value, false | null | undefined>> {
  const timeoutMs = options.timeoutMs ?? 10_000
  const endAtMs = performance.now() + timeoutMs
  let lastError: unknown
  for (;;) {
    try {
      const value = await condition()
      if (value !== false && value !== null && value !== undefined)
        return value as Exclude<Value, false | null | undefined>
      lastError = undefined
    } catch (error) {
      lastError = error
    }
    if (performance.now() >= endAtMs) {
      throw new MeshError('timeout', `Waited ${String(timeoutMs)} ms for ${options.what}.`, { cause: lastError })
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS))
  }
}
