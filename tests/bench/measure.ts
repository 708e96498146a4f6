/** An answer as its asker experienced it. */
export interface Measured {
  /** From asking to the first text, in ms. */
  readonly firstTextMs: number
  /** Tokens after the first text, per second, at the asker. */
  readonly decodeTokensPerSecond: number
  readonly tokens: number
}

/** Measures a stream of answer events at the place where they arrive. */
export async function measureAnswer(
  events: AsyncIterable<{ readonly type: string; readonly tokenCount?: number }>,
): Promise<Measured> {
  const startedAt = performance.now()
  let firstAt = 0
  let lastAt = 0
  let firstTokens = 0
  let tokens = 0
  for await (const event of events) {
    if (event.type !== 'text') continue
    lastAt = performance.now()
    tokens += event.tokenCount ?? 0
    if (firstAt > 0) continue
    firstAt = lastAt
    firstTokens = event.tokenCount ?? 0
  }
  return {
    firstTextMs: firstAt - startedAt,
    decodeTokensPerSecond: ((tokens - firstTokens) / Math.max(1, lastAt - firstAt)) * 1000,
    tokens,
  }
}

/** The value below which `fraction` of the samples lie (nearest rank). */
export function percentile(samples: readonly number[], fraction: number): number {
  const sorted = [...samples].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(sorted.length * fraction) - 1))] ?? NaN
}
