import { MeshError } from '../../mesh/base/index.ts'
import { GATEWAY_LIMITS } from './limits.ts'
import { badRequest, type HttpFailure } from './openai-errors.ts'

/** A body that was read, or why it could not be. */
export type BodyResult =
  { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly failure: HttpFailure }

/**
 * Reads a JSON body of at most `maxBytes`. A declared length above the limit is
 * refused unread; a stream is dropped at the first byte above it.
 * @throws MeshError `aborted` when the client goes away before the body is whole.
 */
export async function readJsonBody(request: Request, maxBytes: number): Promise<BodyResult> {
  const declared = request.headers.get('content-length')
  if (declared !== null && Number(declared) > maxBytes) return refused(tooLarge(maxBytes))
  const bytes = await readBounded(request.body, maxBytes)
  if (bytes === undefined) return refused(tooLarge(maxBytes))
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
    return { ok: true, value: JSON.parse(text) as unknown }
  } catch {
    // the parser's own words quote the input, which does not belong into an answer
    return refused(badRequest('The body is not valid JSON in UTF-8.', { code: 'invalid_json' }))
  }
}

function refused(failure: HttpFailure): BodyResult {
  return { ok: false, failure }
}

// The connection stays: a close would reset it while the client still sends, and it
// would never read why.
function tooLarge(maxBytes: number): HttpFailure {
  return badRequest(`The body is larger than ${String(maxBytes)} bytes.`, { status: 413, code: 'request_too_large' })
}

async function readBounded(body: ReadableStream<Uint8Array> | null, maxBytes: number): Promise<Uint8Array | undefined> {
  if (body === null) return new Uint8Array()
  const chunks: Uint8Array[] = []
  let sizeBytes = 0
  const reader = body.getReader()
  for (;;) {
    const { done, value } = await reader.read().catch(clientGone)
    if (done) return Buffer.concat(chunks)
    sizeBytes += value.byteLength
    if (sizeBytes > maxBytes) {
      // not awaited: the answer goes out while the rest is thrown away
      void throwAway(reader)
      return undefined
    }
    chunks.push(value)
  }
}

/**
 * Takes what still comes, so that a client that sends first and listens then hears
 * why. One that sends without end is cut off.
 */
async function throwAway(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<void> {
  try {
    for (let thrownBytes = 0; thrownBytes < GATEWAY_LIMITS.discardBytes;) {
      const { done, value } = await reader.read()
      if (done) return
      thrownBytes += value.byteLength
    }
    await reader.cancel()
  } catch {
    // the client is gone, and with it whoever could be told
  }
}

function clientGone(cause: unknown): never {
  throw new MeshError('aborted', 'The client went away before its request was whole.', { cause })
}
