import { silentLogger, type Clock, type Logger } from '../../mesh/base/index.ts'
import { createGatewayApp, type GatewayApp, type GatewayMount } from '../../helper/gateway/app.ts'
import { guardRules } from '../../helper/door/index.ts'
import { tokenCheck } from '../../helper/gateway/guard.ts'
import { createOpenAsks, type OpenAsks } from '../../helper/gateway/open-asks.ts'
import { createPageFiles } from '../../helper/gateway/page-files.ts'
import { createVirtualClock } from './clock.ts'
import { createFakeMesh, type FakeMesh } from './fake-mesh.ts'
import { createSeededRandom } from './random.ts'

/** The port the app under test believes to have. */
export const TEST_PORT = 4321
/** The token of the app under test. */
export const TEST_TOKEN = 'test-token-0123456789abcdef'

/** The gateway's app without a socket. */
export interface TestGateway {
  readonly app: GatewayApp
  readonly mesh: FakeMesh
  readonly asks: OpenAsks
  /** A request as a program on this machine sends it: right Host, right token, JSON if there is a body. */
  send(path: string, options?: SendOptions): Promise<Response>
  /** `POST /v1/chat/completions` with a small question and what the test adds. */
  chat(fields?: Record<string, unknown>, options?: SendOptions): Promise<Response>
}

/** What a test changes of a request; a header given as undefined is left out. */
export interface SendOptions {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string | undefined>>
  readonly body?: string | Uint8Array<ArrayBuffer> | ReadableStream
  readonly signal?: AbortSignal
}

/** An app over a fake mesh. */
export function createTestGateway(
  options: { mesh?: FakeMesh; clock?: Clock; log?: Logger; pageDir?: string; mounts?: readonly GatewayMount[] } = {},
): TestGateway {
  const mesh = options.mesh ?? createFakeMesh()
  const rules = guardRules(TEST_PORT)
  const asks = createOpenAsks()
  const app = createGatewayApp({
    mesh,
    clock: options.clock ?? createVirtualClock(),
    random: createSeededRandom('gateway'),
    log: options.log ?? silentLogger,
    isToken: tokenCheck(TEST_TOKEN),
    files: createPageFiles(options.pageDir ?? 'no-such-folder'),
    rules: () => rules,
    asks,
    mounts: options.mounts ?? [],
  })
  const send: TestGateway['send'] = async (path, { method, headers, body, signal } = {}) => {
    const given: Record<string, string | undefined> = {
      host: `127.0.0.1:${String(TEST_PORT)}`,
      authorization: `Bearer ${TEST_TOKEN}`,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...headers,
    }
    const sent = Object.entries(given).filter((entry): entry is [string, string] => entry[1] !== undefined)
    const init: RequestInit & { duplex?: 'half' } = {
      method: method ?? (body === undefined ? 'GET' : 'POST'),
      headers: sent,
      ...(body === undefined ? {} : { body, duplex: 'half' }),
      ...(signal === undefined ? {} : { signal }),
    }
    return app.fetch(new Request(`http://127.0.0.1:${String(TEST_PORT)}${path}`, init))
  }
  return {
    app,
    mesh,
    asks,
    send,
    chat(fields = {}, sendOptions = {}) {
      const body = { model: 'fake-135m', messages: [{ role: 'user', content: 'Hi' }], ...fields }
      return send('/v1/chat/completions', { body: JSON.stringify(body), ...sendOptions })
    },
  }
}

/** The error of an answer in OpenAI's shape. */
export interface AnsweredError {
  readonly status: number
  readonly message: string
  readonly type: string
  readonly param: string | null
  readonly code: string | null
}

/** The error an answer holds; throws a plain assertion when its shape is not OpenAI's. */
export async function errorOf(response: Response): Promise<AnsweredError> {
  const body = (await response.json()) as { error?: Record<string, unknown> }
  const error = body.error ?? {}
  const { message, type, param, code } = error
  const isShaped =
    Object.keys(body).length === 1 &&
    typeof message === 'string' &&
    message.length > 0 &&
    typeof type === 'string' &&
    (param === null || typeof param === 'string') &&
    (code === null || typeof code === 'string')
  if (!isShaped) throw new TypeError(`Not an OpenAI error: ${JSON.stringify(body)}`)
  return { status: response.status, message, type, param: param, code: code }
}

/** The `data:` payloads and the comments of a whole event stream. */
export function readEvents(text: string): { readonly data: readonly string[]; readonly comments: readonly string[] } {
  const data: string[] = []
  const comments: string[] = []
  for (const block of text.split('\n\n')) {
    if (block === '') continue
    for (const line of block.split('\n')) {
      if (line.startsWith('data: ')) data.push(line.slice('data: '.length))
      else if (line.startsWith(':')) comments.push(line.slice(1).trim())
      else throw new TypeError(`Not a line of an event stream: ${line}`)
    }
  }
  return { data, comments }
}
