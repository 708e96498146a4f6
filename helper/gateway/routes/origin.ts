import type { Context } from 'hono'
import { ORIGIN_NONCE_BYTES } from '../../../mesh/identity/index.ts'
import { fromBase64url, toBase64url } from '../../../mesh/wire/index.ts'
import { refuseBodyType } from '../guard.ts'
import { readJsonBody } from '../json-body.ts'
import { badRequest, failureResponse } from '../openai-errors.ts'
import { headOfContext, type GatewayEnv } from '../request-head.ts'

/** Proves to a page that this helper serves its origin: the id of its device and a signature. */
export type ProveOrigin = (
  origin: string,
  nonce: Uint8Array,
) => Promise<{ readonly device: string; readonly proof: Uint8Array }>

/** Far above a nonce in JSON. Above: 413. */
const BODY_MAX_BYTES = 256

/**
 * `POST /plexus/origin` with `{nonce}`: signs that number for the origin the request
 * was sent to, and for no other. Another program at this port cannot, and one at
 * another port that asks us gets a proof for our own.
 */
export function proveOrigin(prove: ProveOrigin): (context: Context<GatewayEnv>) => Promise<Response> {
  return async (context) => {
    const head = headOfContext(context)
    const refusal = refuseBodyType(head)
    if (refusal !== undefined) return refused(refusal.message)
    const body = await readJsonBody(context.req.raw, BODY_MAX_BYTES)
    if (!body.ok) return failureResponse(body.failure)
    const nonce = nonceIn(body.value)
    if (nonce === undefined) return refused('Send {"nonce": …}: 32 bytes in base64url.')
    const origin = `${head.isSecure ? 'https' : 'http'}://${(head.host[0] ?? '').toLowerCase()}`
    const { device, proof } = await prove(origin, nonce)
    return Response.json({ device, proof: toBase64url(proof) })
  }
}

function nonceIn(value: unknown): Uint8Array | undefined {
  const nonce = typeof value === 'object' && value !== null && 'nonce' in value ? value.nonce : undefined
  if (typeof nonce !== 'string') return undefined
  try {
    const bytes = fromBase64url(nonce)
    return bytes.byteLength === ORIGIN_NONCE_BYTES ? bytes : undefined
  } catch {
    // no base64url: said in the answer
    return undefined
  }
}

function refused(message: string): Response {
  return failureResponse(badRequest(message, { code: 'invalid_nonce' }))
}
