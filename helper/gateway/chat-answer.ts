import type { FinishReason, Usage } from '../../mesh/engine/index.ts'
import type { Route } from '../../mesh/route/index.ts'

/** What all parts of one answer share. */
export interface AnswerHead {
  readonly id: string
  /** Seconds since 1970. */
  readonly created: number
  readonly model: string
}

type Delta = Readonly<{ role?: 'assistant'; content?: string }>

/** The whole answer as `chat.completion`. */
export function completionBody(head: AnswerHead, text: string, finish: FinishReason, usage: Usage): object {
  return {
    id: head.id,
    object: 'chat.completion',
    created: head.created,
    model: head.model,
    choices: [
      { index: 0, message: { role: 'assistant', content: text, refusal: null }, logprobs: null, finish_reason: finish },
    ],
    usage: usageBody(usage),
  }
}

/** One `chat.completion.chunk` with a piece of the answer. */
export function chunkBody(head: AnswerHead, delta: Delta, finish: FinishReason | null, includeUsage: boolean): object {
  return {
    ...chunkHead(head),
    choices: [{ index: 0, delta, logprobs: null, finish_reason: finish }],
    // with include_usage every chunk has the field, and only the last one a value
    ...(includeUsage ? { usage: null } : {}),
  }
}

/** The last chunk of a stream whose client asked for usage. */
export function usageChunkBody(head: AnswerHead, usage: Usage): object {
  return { ...chunkHead(head), choices: [], usage: usageBody(usage) }
}

function chunkHead(head: AnswerHead): object {
  return { id: head.id, object: 'chat.completion.chunk', created: head.created, model: head.model }
}

function usageBody(usage: Usage): object {
  return {
    prompt_tokens: usage.promptTokens,
    completion_tokens: usage.completionTokens,
    total_tokens: usage.promptTokens + usage.completionTokens,
    prompt_tokens_details: { cached_tokens: usage.cachedTokens },
  }
}

/** Headers that say who answered. Names are left out: they may hold anything, ids may not. */
export function routeHeaders(route: Route | undefined): Record<string, string> {
  if (route === undefined) return {}
  return {
    'x-plexus-device': encodeURI(route.device),
    'x-plexus-model': encodeURI(route.model),
    'x-plexus-route': `reason=${route.reason}; path=${route.path}`,
  }
}
