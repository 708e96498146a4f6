import type { IncomingMessage } from 'node:http'
import type { HttpBindings } from '@hono/node-server'
import { callHeadOf, rawHeader } from '../door/index.ts'
import type { RequestHead } from './guard.ts'

/** Bindings of a request: the Node pair over a socket, nothing when the app is called directly. */
export interface GatewayEnv {
  Bindings: Partial<HttpBindings>
  Variables: { requestId: string }
}

/** The head of a request over a socket. */
export function headOfIncoming(incoming: IncomingMessage): RequestHead {
  return {
    ...callHeadOf(incoming),
    authorization: rawHeader(incoming, 'authorization'),
    contentType: rawHeader(incoming, 'content-type'),
    contentEncoding: rawHeader(incoming, 'content-encoding'),
  }
}

/** The part of a hono context that holds the request. */
export interface RequestContext {
  readonly req: { readonly raw: Request }
  /** Undefined when the app is called without a server, whatever hono's types say. */
  readonly env: unknown
}

/** The Node pair behind a request, where it came over a socket. */
export function bindingsOf(context: Pick<RequestContext, 'env'>): GatewayEnv['Bindings'] {
  return (context.env as GatewayEnv['Bindings'] | undefined) ?? {}
}

/** The head of a request as the app sees it. */
export function headOfContext(context: RequestContext): RequestHead {
  const { incoming } = bindingsOf(context)
  if (incoming !== undefined) return headOfIncoming(incoming)
  const { headers, method, url } = context.req.raw
  const { pathname, search } = new URL(url)
  const read = (name: string): readonly string[] => {
    const value = headers.get(name)
    return value === null ? [] : [value]
  }
  return {
    method,
    target: pathname + search,
    host: read('host'),
    origin: read('origin'),
    authorization: read('authorization'),
    contentType: read('content-type'),
    contentEncoding: read('content-encoding'),
    fetchSite: read('sec-fetch-site'),
    fetchMode: read('sec-fetch-mode'),
    // called without a socket: by this very process
    isLocal: true,
    isSecure: false,
  }
}
