import * as z from 'zod'
import { abortReason, errorFromWire, MeshError, messageOf } from '../../mesh/base/index.ts'
import type { Operation } from './operation.ts'
import type { OPERATIONS } from './operations/index.ts'

/** What goes into, happens during, and comes out of an operation. */
type Types<Name extends keyof typeof OPERATIONS> =
  (typeof OPERATIONS)[Name] extends Operation<infer Input, infer Event, infer Result>
    ? { input: Input; event: Event; result: Result }
    : never

/** A way to the running helper. */
export interface LocalClient {
  /** @throws MeshError what the helper says, `no-helper` when it is gone, `aborted`. */
  call<Name extends keyof typeof OPERATIONS>(
    name: Name,
    input: Types<Name>['input'],
    options?: { signal?: AbortSignal | undefined; onEvent?: ((event: Types<Name>['event']) => void) | undefined },
  ): Promise<Types<Name>['result']>
}

const errorSchema = z.object({
  code: z.string(),
  message: z.string(),
  detail: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])).optional(),
})
const lineSchema = z.union([
  z.object({ error: errorSchema }),
  z.object({ result: z.unknown() }),
  z.object({ event: z.unknown() }),
])

/** Talks to the helper that left `credential`. */
export function createLocalClient(credential: { readonly url: string; readonly credential: string }): LocalClient {
  return {
    async call(name, input, options = {}) {
      const { signal } = options
      const response = await send(new URL(`local/${name}`, credential.url), credential.credential, input, signal)
      if (response.body === null) throw lost()
      for await (const line of jsonLines(response.body, signal)) {
        const parsed = lineSchema.safeParse(line)
        if (!parsed.success)
          throw new MeshError(
            'malformed',
            'The helper answered something this command does not understand. Restart it after an update.',
          )
        if ('error' in parsed.data) throw errorFromWire(parsed.data.error)
        if ('result' in parsed.data) return parsed.data.result
        options.onEvent?.(parsed.data.event)
      }
      throw lost()
    },
  }
}

async function send(url: URL, credential: string, input: unknown, signal: AbortSignal | undefined): Promise<Response> {
  try {
    return await fetch(url, {
      method: 'POST',
      headers: { authorization: `Bearer ${credential}`, 'content-type': 'application/json' },
      body: JSON.stringify(input),
      redirect: 'error',
      ...(signal === undefined ? {} : { signal }),
    })
  } catch (error) {
    if (signal?.aborted === true) throw abortReason(signal)
    throw new MeshError('no-helper', 'No helper answers for this data directory. Start one with "npm start".', {
      cause: error,
    })
  }
}

async function* jsonLines(body: ReadableStream<Uint8Array>, signal: AbortSignal | undefined): AsyncGenerator {
  const decoder = new TextDecoder()
  let rest = ''
  try {
    for await (const chunk of body) {
      rest += decoder.decode(chunk, { stream: true })
      const lines = rest.split('\n')
      rest = lines.pop() ?? ''
      for (const line of lines) yield JSON.parse(line)
    }
    if (rest.trim() !== '') yield JSON.parse(rest)
  } catch (error) {
    if (signal?.aborted === true) throw abortReason(signal)
    if (error instanceof MeshError) throw error
    throw lost(error)
  }
}

function lost(cause?: unknown): MeshError {
  return new MeshError(
    'no-helper',
    `The helper went away before it answered${cause === undefined ? '' : ` (${messageOf(cause)})`}.`,
    { cause },
  )
}
