import * as z from 'zod/mini'
import {
  FRAME_MAX_BYTES,
  INFER_STREAMS_MAX,
  INFER_TEXT_MAX_LENGTH,
  PROMPT_MAX_LENGTH,
  PROMPT_MAX_MESSAGES,
} from '../../../base/index.ts'
import { list, modelId, range, requestId, text, whole } from '../../../wire/index.ts'
import type { ProtocolShape } from '../../protocol.ts'

/** One question and its streamed answer per stream. */
export const INFER: ProtocolShape = {
  id: '/plexus/infer/1.0.0',
  maxFrameBytes: FRAME_MAX_BYTES,
  maxStreams: INFER_STREAMS_MAX,
}

/** The question. Sampling ranges are OpenAI's; what is out of them is refused, never clamped. */
export const ask = z.object({
  type: z.literal('ask'),
  id: requestId,
  model: modelId,
  messages: list(
    z.object({ role: z.enum(['system', 'user', 'assistant']), content: text(PROMPT_MAX_LENGTH) }),
    PROMPT_MAX_MESSAGES,
  ).check(z.minLength(1)),
  sampling: z.object({
    temperature: z.optional(range(0, 2)),
    topP: z.optional(range(0, 1)),
    seed: z.optional(z.int()),
    maxTokens: z.optional(z.int().check(z.gte(1), z.lte(1_000_000))),
    presencePenalty: z.optional(range(-2, 2)),
    frequencyPenalty: z.optional(range(-2, 2)),
    stop: z.optional(list(text(1024).check(z.minLength(1)), 4)),
  }),
  /** Text frames the answering side may send before it is granted more. */
  credit: whole(1024),
})

/** What the asker may send while the answer runs. */
export const askerFrame = z.discriminatedUnion('type', [
  z.object({ type: z.literal('grant'), frames: whole(1024) }),
  z.object({ type: z.literal('cancel') }),
])

/** What the answering side sends. Text frames are numbered from 0 without a gap. */
export const answerFrame = z.discriminatedUnion('type', [
  z.object({ type: z.literal('queued'), ahead: whole(100_000) }),
  z.object({ type: z.literal('loading'), fraction: range(0, 1) }),
  z.object({ type: z.literal('reading'), doneTokens: whole(), totalTokens: whole() }),
  z.object({ type: z.literal('text'), sequence: whole(), text: text(INFER_TEXT_MAX_LENGTH), tokenCount: whole() }),
  z.object({
    type: z.literal('end'),
    sequence: whole(),
    finish: z.enum(['stop', 'length']),
    usage: z.object({ promptTokens: whole(), cachedTokens: whole(), completionTokens: whole() }),
    timings: z.object({
      queueMs: range(0, 1e12),
      prefillMs: range(0, 1e12),
      firstTokenMs: range(0, 1e12),
      decodeMs: range(0, 1e12),
    }),
  }),
])
