import { createHash, timingSafeEqual } from 'node:crypto'
import { Hono } from 'hono'
import { errorToWire, isAbort, MeshError, type ErrorCode, type Logger } from '../../mesh/base/index.ts'
import type { LocalHost, Operation } from './operation.ts'
import { OPERATIONS } from './operations/index.ts'

/** Largest request of the command line, in bytes. */
const BODY_MAX_BYTES = 1024 * 1024

/** What the local API is made of. */
export interface LocalApiOptions {
  readonly host: LocalHost
  /** The secret the command line read from the data directory. */
  readonly credential: string
  readonly log: Logger
}

/** A line of an answer: things on the way, then one result or one error. */
export type LocalLine =
  { readonly event: unknown } | { readonly result: unknown } | { readonly error: ReturnType<typeof errorToWire> }

const STATUS: Readonly<Partial<Record<ErrorCode, 400 | 401 | 404 | 413>>> = {
  unauthorized: 401,
  usage: 400,
  malformed: 400,
  unsupported: 404,
  'too-large': 413,
}

/**
 * The face of the helper for its own command line: `POST /<operation>` with a JSON
 * body answers JSON lines. Whoever lacks the credential of this start learns
 * nothing, not even which operations exist. Leaving the connection aborts the work.
 */
export function createLocalApi(options: LocalApiOptions): Hono {
  const { host, log } = options
  const app = new Hono()
  const expected = digest(options.credential)

  app.use('*', async (context, next) => {
    const given = /^Bearer ([\x21-\x7e]+)$/.exec(context.req.header('authorization') ?? '')?.[1] ?? ''
    // equal lengths and constant time: the answer's timing says nothing about the credential
    if (!timingSafeEqual(digest(given), expected)) {
      return failure(
        new MeshError('unauthorized', 'This is for the command line of this helper, and the credential does not fit.'),
      )
    }
    return next()
  })

  app.post('/:operation', async (context) => {
    const name = context.req.param('operation')
    const found = Object.hasOwn(OPERATIONS, name) ? OPERATIONS[name as keyof typeof OPERATIONS] : undefined
    if (found === undefined)
      return failure(
        new MeshError('unsupported', 'This helper does not know that command. Restart it after an update.'),
      )
    // the input was checked by the operation's own schema: the types of different operations meet only here
    return answer(context.req.raw, found, { host, log })
  })

  app.all('*', () => failure(new MeshError('unsupported', 'There is nothing here.')))
  app.onError((error) => {
    log.error('local request failed', { error: errorToWire(error).message })
    return failure(error)
  })
  return app
}

async function answer(
  request: Request,
  operation: Operation<unknown, unknown, unknown>,
  { host, log }: { host: LocalHost; log: Logger },
): Promise<Response> {
  let body: unknown
  try {
    body = JSON.parse(await boundedText(request))
  } catch (error) {
    if (error instanceof MeshError) return failure(error)
    return failure(new MeshError('malformed', 'The request is not JSON.'))
  }
  const input = operation.input.safeParse(body)
  if (!input.success) {
    const issue = input.error.issues[0]
    return failure(new MeshError('usage', `${issue?.path.join('.') ?? 'input'}: ${issue?.message ?? 'is not valid'}.`))
  }

  const leaving = new AbortController()
  const encoder = new TextEncoder()
  const stream = new ReadableStream<Uint8Array>({
    start(controller) {
      const write = (line: LocalLine): void => {
        if (!leaving.signal.aborted) controller.enqueue(encoder.encode(`${JSON.stringify(line)}\n`))
      }
      const work = async (): Promise<void> => {
        try {
          write({
            result: await operation.run(input.data, {
              host,
              signal: leaving.signal,
              emit: (event) => {
                write({ event })
              },
            }),
          })
        } catch (error) {
          if (!isAbort(error)) log.info('command failed', { operation: operation.name, code: errorToWire(error).code })
          write({ error: errorToWire(error) })
        }
        if (!leaving.signal.aborted) controller.close()
      }
      void work()
    },
    cancel() {
      leaving.abort(new MeshError('aborted', 'The command was stopped.'))
    },
  })
  return new Response(stream, { headers: { 'content-type': 'application/x-ndjson', 'cache-control': 'no-store' } })
}

/** The body, however its length is told. @throws MeshError `too-large` before more than the limit is held */
async function boundedText(request: Request): Promise<string> {
  const chunks: Uint8Array[] = []
  let length = 0
  if (request.body !== null) {
    for await (const chunk of request.body as unknown as AsyncIterable<Uint8Array>) {
      length += chunk.byteLength
      if (length > BODY_MAX_BYTES) {
        throw new MeshError('too-large', `A request may have at most ${String(BODY_MAX_BYTES)} bytes.`)
      }
      chunks.push(chunk)
    }
  }
  return Buffer.concat(chunks).toString('utf8')
}

function failure(error: unknown): Response {
  const wire = errorToWire(error)
  return Response.json({ error: wire }, { status: STATUS[wire.code] ?? 500 })
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}
