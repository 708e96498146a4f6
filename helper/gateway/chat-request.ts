import * as z from 'zod'
import type { ModelId } from '../../mesh/base/index.ts'
import { asId } from '../../mesh/base/index.ts'
import type { ChatMessage, ChatRole, Sampling } from '../../mesh/engine/index.ts'
import { GATEWAY_LIMITS } from './limits.ts'
import { badRequest, type HttpFailure } from './openai-errors.ts'

/** A chat completion request, checked: nothing the client sent is passed on but what is named here. */
export interface ChatCompletionRequest {
  readonly model: ModelId
  readonly messages: readonly ChatMessage[]
  readonly sampling: Sampling
  readonly isStream: boolean
  readonly includeUsage: boolean
}

/** A checked request, or why it is none. */
export type ChatRequestResult =
  { readonly ok: true; readonly request: ChatCompletionRequest } | { readonly ok: false; readonly failure: HttpFailure }

const PENALTY_MAX = 2
const TEMPERATURE_MAX = 2
const MODEL_NAME_MAX = 256
/** OpenAI allows top_p 0; the engine wants more than 0. The smallest share still leaves one token. */
const TOP_P_MIN = 1e-6

function numberBetween(field: string, min: number, max: number) {
  const error = `'${field}' must be a number from ${String(min)} to ${String(max)}.`
  return z.number({ error }).min(min, { error }).max(max, { error }).nullish()
}

function wholeNumber(field: string, min: number) {
  const error =
    min > 0
      ? `'${field}' must be a whole number, at least ${String(min)}.`
      : `'${field}' must be a whole number within ±2^53.`
  return z.int({ error }).min(min, { error }).nullish()
}

function flag(field: string) {
  return z.boolean({ error: `'${field}' must be true or false.` }).nullish()
}

const modelError = "'model' must be the id of a model; GET /v1/models lists them."
const scalars = z.object(
  {
    model: z.string({ error: modelError }).min(1, { error: modelError }).max(MODEL_NAME_MAX, { error: modelError }),
    temperature: numberBetween('temperature', 0, TEMPERATURE_MAX),
    top_p: numberBetween('top_p', 0, 1),
    presence_penalty: numberBetween('presence_penalty', -PENALTY_MAX, PENALTY_MAX),
    frequency_penalty: numberBetween('frequency_penalty', -PENALTY_MAX, PENALTY_MAX),
    seed: wholeNumber('seed', Number.MIN_SAFE_INTEGER),
    max_tokens: wholeNumber('max_tokens', 1),
    max_completion_tokens: wholeNumber('max_completion_tokens', 1),
    n: z.literal(1, { error: "'n' must be 1: one answer per request." }).nullish(),
    stream: flag('stream'),
    stream_options: z
      .object({ include_usage: flag('stream_options.include_usage') }, { error: "'stream_options' must be an object." })
      .nullish(),
    logprobs: z.literal(false, { error: "'logprobs' is not supported." }).nullish(),
    response_format: z
      .object(
        {
          type: z.literal('text', { error: "'response_format.type' must be 'text'; other formats are not supported." }),
        },
        { error: "'response_format' must be an object." },
      )
      .nullish(),
    // an answer without a tool call is what "auto" allows; a forced call could not be kept
    tool_choice: z
      .enum(['auto', 'none'], { error: 'Tools are not supported, so a tool call cannot be forced.' })
      .nullish(),
  },
  { error: 'The body must be a JSON object.' },
)

/**
 * A request body as a checked request. Ranges are OpenAI's; unknown fields are
 * dropped, never forwarded (CVE-2026-21869: a negative engine parameter).
 */
export function parseChatRequest(body: unknown): ChatRequestResult {
  const parsed = scalars.safeParse(body)
  if (!parsed.success) return { ok: false, failure: failureOfIssue(parsed.error.issues[0]) }
  const fields = parsed.data
  const { messages: rawMessages, stop: rawStop } = body as { messages?: unknown; stop?: unknown }
  const isStream = fields.stream ?? false
  if (!isStream && fields.stream_options != null) {
    return refused("'stream_options' is only for requests with 'stream' true.", 'stream_options')
  }
  const stop = parseStop(rawStop)
  if (!stop.ok) return stop
  const messages = parseMessages(rawMessages)
  if (!messages.ok) return messages
  return {
    ok: true,
    request: {
      model: asId<ModelId>(fields.model),
      messages: messages.value,
      sampling: samplingOf(fields, stop.value),
      isStream,
      includeUsage: fields.stream_options?.include_usage ?? false,
    },
  }
}

function samplingOf(fields: z.infer<typeof scalars>, stop: readonly string[]): Sampling {
  const topP = fields.top_p ?? undefined
  return {
    temperature: fields.temperature ?? undefined,
    topP: topP === undefined ? undefined : Math.max(topP, TOP_P_MIN),
    seed: fields.seed ?? undefined,
    maxTokens: fields.max_completion_tokens ?? fields.max_tokens ?? undefined,
    presencePenalty: fields.presence_penalty ?? undefined,
    frequencyPenalty: fields.frequency_penalty ?? undefined,
    stop: stop.length === 0 ? undefined : stop,
  }
}

type Parsed<Value> =
  { readonly ok: true; readonly value: Value } | { readonly ok: false; readonly failure: HttpFailure }

// By hand, not by schema: these lists are what an attacker can make long, and the
// first fault must end the work instead of collecting a million of them.
function parseStop(raw: unknown): Parsed<readonly string[]> {
  if (raw === undefined || raw === null) return { ok: true, value: [] }
  const list: readonly unknown[] = Array.isArray(raw) ? raw : [raw]
  if (list.length > GATEWAY_LIMITS.stopStrings) {
    return refused(`'stop' may hold up to ${String(GATEWAY_LIMITS.stopStrings)} strings.`, 'stop')
  }
  const isStopString = (value: unknown): value is string =>
    typeof value === 'string' && value.length > 0 && value.length <= GATEWAY_LIMITS.stopCharacters
  if (!list.every(isStopString)) {
    return refused(
      `'stop' must be a string or a list of strings, each of 1 to ${String(GATEWAY_LIMITS.stopCharacters)} characters.`,
      'stop',
    )
  }
  return { ok: true, value: list }
}

const ROLES: Readonly<Record<string, ChatRole>> = {
  system: 'system',
  developer: 'system',
  user: 'user',
  assistant: 'assistant',
}

function parseMessages(raw: unknown): Parsed<readonly ChatMessage[]> {
  if (!Array.isArray(raw) || raw.length === 0)
    return refused("'messages' must be a list with at least one message.", 'messages')
  if (raw.length > GATEWAY_LIMITS.messages) {
    return refused(`'messages' may hold up to ${String(GATEWAY_LIMITS.messages)} messages.`, 'messages')
  }
  const messages: ChatMessage[] = []
  for (const [index, item] of (raw as unknown[]).entries()) {
    const message = parseMessage(item, `messages[${String(index)}]`)
    if (!message.ok) return message
    messages.push(message.value)
  }
  return { ok: true, value: messages }
}

function parseMessage(raw: unknown, place: string): Parsed<ChatMessage> {
  if (!isRecord(raw)) return refused(`'${place}' must be an object with role and content.`, place)
  const role = typeof raw['role'] === 'string' && Object.hasOwn(ROLES, raw['role']) ? ROLES[raw['role']] : undefined
  if (role === undefined) {
    return refused(`'${place}.role' must be system, developer, user or assistant.`, `${place}.role`)
  }
  const content = parseContent(raw['content'], role, `${place}.content`)
  return content.ok ? { ok: true, value: { role, content: content.value } } : content
}

function parseContent(raw: unknown, role: ChatRole, place: string): Parsed<string> {
  if (typeof raw === 'string') return { ok: true, value: raw.toWellFormed() }
  // clients send an earlier answer that was only a tool call as content null
  if ((raw === null || raw === undefined) && role === 'assistant') return { ok: true, value: '' }
  if (!Array.isArray(raw) || raw.length === 0) {
    return refused(`'${place}' must be a string or a list of text parts.`, place)
  }
  const texts: string[] = []
  for (const [index, part] of (raw as unknown[]).entries()) {
    if (!isRecord(part) || part['type'] !== 'text' || typeof part['text'] !== 'string') {
      return refused(
        `'${place}[${String(index)}]' must be {"type": "text", "text": …}; other parts are not supported.`,
        `${place}[${String(index)}]`,
      )
    }
    texts.push(part['text'].toWellFormed())
  }
  return { ok: true, value: texts.join('') }
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function refused(message: string, param: string): { readonly ok: false; readonly failure: HttpFailure } {
  return { ok: false, failure: badRequest(message, { param, code: 'invalid_value' }) }
}

function failureOfIssue(issue: z.core.$ZodIssue | undefined): HttpFailure {
  const param = issue === undefined || issue.path.length === 0 ? null : issue.path.map(String).join('.')
  return badRequest(issue?.message ?? 'The body is not a valid request.', { param, code: 'invalid_value' })
}
