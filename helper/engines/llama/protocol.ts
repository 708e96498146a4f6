import * as z from 'zod'
import { ERROR_CODES } from '../../../mesh/base/index.ts'

/**
 * What the helper and its engine process say to each other. Both sides check
 * every message: the engine handles foreign files, so it is not trusted.
 */

const Id = z.int().min(1)
const Count = z.int().min(0)
const Fraction = z.number().min(0).max(1)
const TEXT_LIMIT = 8 * 1024 * 1024

const Message = z.strictObject({
  role: z.enum(['system', 'user', 'assistant']),
  content: z.string().max(TEXT_LIMIT),
})

const SamplingShape = z.strictObject({
  temperature: z.number().min(0).max(2).optional(),
  topP: z.number().gt(0).max(1).optional(),
  seed: z.number().refine(Number.isSafeInteger).optional(),
  maxTokens: z.int().min(1).optional(),
  presencePenalty: z.number().min(-2).max(2).optional(),
  frequencyPenalty: z.number().min(-2).max(2).optional(),
  stop: z.array(z.string().min(1).max(1_024)).max(4).optional(),
})

/** How a model is to be loaded. */
const LoadOrder = z.strictObject({
  file: z.string().min(1),
  threads: z.int().min(1).max(256),
  contextTokens: z.int().min(16),
  sequences: z.int().min(1).max(64),
  gpu: z.boolean(),
})

/** Helper to engine. */
export const ToEngine = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('load'), order: LoadOrder }),
  z.strictObject({
    type: z.literal('generate'),
    id: Id,
    messages: z.array(Message).min(1).max(10_000),
    sampling: SamplingShape,
  }),
  z.strictObject({ type: z.literal('cancel'), id: Id }),
  z.strictObject({ type: z.literal('ping'), id: Id }),
])

/** What is left of a question that is not one: who waits for it. */
export const UnfitQuestion = z.object({ type: z.literal('generate'), id: Id })

const Failure = z.strictObject({
  code: z.enum(ERROR_CODES),
  message: z.string().max(2_000),
  detail: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])).optional(),
})

const Event = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('queued'), ahead: Count }),
  z.strictObject({ type: z.literal('reading'), doneTokens: Count, totalTokens: Count }),
  z.strictObject({ type: z.literal('text'), text: z.string().max(TEXT_LIMIT), tokenCount: Count }),
  z.strictObject({
    type: z.literal('end'),
    finish: z.enum(['stop', 'length']),
    usage: z.strictObject({ promptTokens: Count, cachedTokens: Count, completionTokens: Count }),
    timings: z.strictObject({
      queueMs: z.number(),
      prefillMs: z.number(),
      firstTokenMs: z.number(),
      decodeMs: z.number(),
    }),
  }),
])

/** Engine to helper. */
export const FromEngine = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('loading'), fraction: Fraction }),
  z.strictObject({
    type: z.literal('loaded'),
    contextTokens: z.int().min(1),
    sequences: z.int().min(1),
    backend: z.string().max(40),
  }),
  z.strictObject({ type: z.literal('load-failed'), error: Failure }),
  z.strictObject({ type: z.literal('event'), id: Id, event: Event }),
  z.strictObject({ type: z.literal('failed'), id: Id, error: Failure }),
  /** The request holds no sequence any more; the last message of every request. */
  z.strictObject({ type: z.literal('settled'), id: Id }),
  z.strictObject({ type: z.literal('pong'), id: Id }),
  z.strictObject({ type: z.literal('log'), level: z.enum(['debug', 'info', 'warn']), text: z.string().max(4_000) }),
])

export type ToEngine = z.infer<typeof ToEngine>
export type FromEngine = z.infer<typeof FromEngine>
export type LoadOrder = z.infer<typeof LoadOrder>
/** What an engine tells of one request. */
export type EngineEvent = z.infer<typeof Event>
