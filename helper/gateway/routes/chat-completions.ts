import type { Context } from 'hono'
import { isAbort, sortableId, type Clock, type Logger, type Random } from '../../../mesh/base/index.ts'
import type { Mesh } from '../../../mesh/mesh-types.ts'
import type { AskRequest } from '../../../mesh/route/index.ts'
import { createAskReader, type AskReader, type AskStep } from '../ask-reader.ts'
import { completionBody, routeHeaders, type AnswerHead } from '../chat-answer.ts'
import { parseChatRequest, type ChatCompletionRequest } from '../chat-request.ts'
import { answerBrokeOff, chatStream } from '../chat-stream.ts'
import { refuseBodyType } from '../guard.ts'
import { readJsonBody } from '../json-body.ts'
import { GATEWAY_LIMITS } from '../limits.ts'
import type { OpenAsk, OpenAsks } from '../open-asks.ts'
import { badRequest, failureOf, failureResponse } from '../openai-errors.ts'
import { bindingsOf, headOfContext, type GatewayEnv } from '../request-head.ts'
import { unknownModel } from './models.ts'

/** What the route needs. */
export interface ChatCompletionsPorts {
  readonly mesh: Mesh
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
  readonly asks: OpenAsks
}

type Handler = (context: Context<GatewayEnv>) => Promise<Response>

/** `POST /v1/chat/completions`: checks the request, asks the mesh, and answers whole or as a stream. */
export function chatCompletions(ports: ChatCompletionsPorts): Handler {
  return async (context) => {
    const wrongType = refuseBodyType(headOfContext(context))
    if (wrongType)
      return failureResponse(badRequest(wrongType.message, { status: wrongType.status, code: wrongType.code }))
    const body = await readJsonBody(context.req.raw, GATEWAY_LIMITS.bodyBytes)
    if (!body.ok) return failureResponse(body.failure)
    const parsed = parseChatRequest(body.value)
    if (!parsed.ok) return failureResponse(parsed.failure)
    const model = ports.mesh.models().find(({ id }) => id === parsed.request.model)
    if (model === undefined) return unknownModel(parsed.request.model)
    return answer(parsed.request, context, ports)
  }
}

async function answer(
  request: ChatCompletionRequest,
  context: Context<GatewayEnv>,
  ports: ChatCompletionsPorts,
): Promise<Response> {
  const ask = ports.asks.open(context.req.raw.signal)
  const reader = createAskReader(ports.mesh.ask(askOf(request), { signal: ask.signal }), ports.clock, ports.log)
  const nowMs = ports.clock.now()
  const begin = { id: `chatcmpl-${sortableId(nowMs, ports.random)}`, created: Math.floor(nowMs / 1_000) }
  const answering: Answering = { request, context, ports, ask, reader, begin }
  try {
    if (request.isStream) return await streamed(answering)
    const whole = await wholeAnswer(answering)
    finish(answering)
    return whole
  } catch (error) {
    finish(answering)
    logFailure(ports.log, error)
    return failureResponse(failureOf(error))
  }
}

function finish({ ask, reader }: Answering): void {
  ask.release()
  reader.close()
}

function logFailure(log: Logger, error: unknown): void {
  if (isAbort(error)) {
    log.debug('The client went away before its answer.')
    return
  }
  const failure = failureOf(error)
  if (failure.status === 500) log.error('An ask failed.', { error })
  else log.info('An ask was refused.', { status: failure.status, code: failure.error.code })
}

function askOf(request: ChatCompletionRequest): AskRequest {
  return { messages: request.messages, model: request.model, sampling: request.sampling, through: 'gateway' }
}

interface Answering {
  readonly request: ChatCompletionRequest
  readonly context: Context<GatewayEnv>
  readonly ports: ChatCompletionsPorts
  readonly ask: OpenAsk
  readonly reader: AskReader
  readonly begin: { readonly id: string; readonly created: number }
}

function headOf({ begin, reader, request }: Answering): AnswerHead {
  return { ...begin, model: reader.route()?.model ?? request.model }
}

async function wholeAnswer(answering: Answering): Promise<Response> {
  const { reader } = answering
  const texts: string[] = []
  for (;;) {
    const step = await reader.next(GATEWAY_LIMITS.keepAliveMs)
    if (step.type === 'done') throw answerBrokeOff()
    if (step.type === 'silence') continue
    const { event } = step
    if (event.type === 'text') texts.push(event.text)
    if (event.type !== 'end') continue
    const body = completionBody(headOf(answering), texts.join(''), event.finish, event.usage)
    return Response.json(body, { headers: routeHeaders(reader.route()) })
  }
}

async function streamed(answering: Answering): Promise<Response> {
  const { ask, context, ports, reader, request } = answering
  const firstStep = await firstStepOf(answering)
  const head = headOf(answering)
  const body = chatStream({
    ask,
    reader,
    firstStep,
    head,
    includeUsage: request.includeUsage,
    clock: ports.clock,
    log: ports.log,
    cut: () => {
      bindingsOf(context).outgoing?.destroy()
    },
  })
  const headers = {
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-cache',
    ...routeHeaders(reader.route()),
  }
  return new Response(body, { headers })
}

/**
 * Waits for the first text, or as long as a client may be left without a status:
 * until then a failure (context too long, busy, nobody there) keeps its own status.
 */
async function firstStepOf({ ports, reader }: Answering): Promise<AskStep> {
  const until = ports.clock.monotonic() + GATEWAY_LIMITS.headersHoldMs
  for (;;) {
    const step = await reader.next(Math.max(0, until - ports.clock.monotonic()))
    if (step.type === 'done') throw answerBrokeOff()
    if (step.type === 'silence') return step
    if (step.event.type === 'text' || step.event.type === 'end') return step
    if (ports.clock.monotonic() >= until) return step
  }
}
