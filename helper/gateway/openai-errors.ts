import { asMeshError, type ErrorCode, type MeshError } from '../../mesh/base/index.ts'
import { GATEWAY_LIMITS } from './limits.ts'

/** An error as the OpenAI API words it. */
export interface OpenAiError {
  readonly message: string
  readonly type: string
  readonly param: string | null
  readonly code: string | null
}

/** A failure with the status it has over HTTP. */
export interface HttpFailure {
  readonly status: number
  readonly error: OpenAiError
  readonly headers?: Readonly<Record<string, string>>
}

/** A request that is wrong in itself: status 400 unless said. */
export function badRequest(
  message: string,
  options: { param?: string | null; code?: string; status?: number; headers?: Readonly<Record<string, string>> } = {},
): HttpFailure {
  return {
    status: options.status ?? 400,
    error: {
      message,
      type: 'invalid_request_error',
      param: options.param ?? null,
      code: options.code ?? 'invalid_request',
    },
    ...(options.headers === undefined ? {} : { headers: options.headers }),
  }
}

/** A failure as an HTTP response with OpenAI's body. */
export function failureResponse(failure: HttpFailure): Response {
  return new Response(JSON.stringify({ error: failure.error }), {
    status: failure.status,
    headers: { 'content-type': 'application/json; charset=utf-8', ...failure.headers },
  })
}

interface Translation {
  readonly status: number
  readonly type: string
  readonly code?: string
  readonly param?: string
  readonly retry?: boolean
}

const INVALID = 'invalid_request_error'
const NOBODY_CAN_ANSWER: Translation = { status: 503, type: 'server_error', retry: true }
const FAILED: Translation = { status: 500, type: 'server_error' }

// what is not named here is a failure of this side: 500
const TRANSLATIONS: Readonly<Partial<Record<ErrorCode, Translation>>> = {
  'model-unknown': { status: 404, type: INVALID, code: 'model_not_found', param: 'model' },
  'engine-context': { status: 400, type: INVALID, code: 'context_length_exceeded', param: 'messages' },
  'too-large': { status: 400, type: INVALID, param: 'messages' },
  malformed: { status: 400, type: INVALID },
  usage: { status: 400, type: INVALID },
  unsupported: { status: 400, type: INVALID },
  refused: { status: 403, type: 'permission_error' },
  unauthorized: { status: 403, type: 'permission_error' },
  busy: { status: 429, type: 'rate_limit_error', code: 'rate_limit_exceeded', retry: true },
  timeout: NOBODY_CAN_ANSWER,
  offline: NOBODY_CAN_ANSWER,
  'peer-gone': NOBODY_CAN_ANSWER,
  'not-admitted': NOBODY_CAN_ANSWER,
  removed: NOBODY_CAN_ANSWER,
  'device-unknown': NOBODY_CAN_ANSWER,
  'engine-lost': NOBODY_CAN_ANSWER,
  'engine-load': NOBODY_CAN_ANSWER,
  'engine-memory': NOBODY_CAN_ANSWER,
  'model-unavailable': NOBODY_CAN_ANSWER,
  'model-invalid': NOBODY_CAN_ANSWER,
  'no-source': NOBODY_CAN_ANSWER,
  aborted: { status: 499, type: INVALID },
}

/** Any thrown value as an HTTP failure. A bug keeps its sentence out of the answer: it may hold anything. */
export function failureOf(thrown: unknown): HttpFailure {
  const error = asMeshError(thrown)
  const known = TRANSLATIONS[error.code] ?? FAILED
  return {
    status: known.status,
    error: {
      message: error.code === 'bug' ? 'Something went wrong in this helper; its log says more.' : error.message,
      type: known.type,
      param: known.param ?? null,
      code: known.code ?? error.code.replaceAll('-', '_'),
    },
    ...(known.retry === true ? { headers: { 'retry-after': retryAfterSeconds(error) } } : {}),
  }
}

function retryAfterSeconds(error: MeshError): string {
  const told = error.detail['retryAfterMs']
  const waitMs = typeof told === 'number' && Number.isFinite(told) && told > 0 ? told : GATEWAY_LIMITS.retryAfterMs
  return String(Math.ceil(waitMs / 1_000))
}
