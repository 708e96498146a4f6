import type { IncomingMessage } from 'node:http'
import type { TLSSocket } from 'node:tls'
import type { HttpBindings } from '@hono/node-server'
import { isLoopbackIp } from '../door/index.ts'
import type { RequestHead } from './guard.ts'

/** Bindings of a request: the Node pair over a socket, nothing when the app is called directly. */
export interface GatewayEnv {
  Bindings: Partial<HttpBindings>
  Variables: { requestId: string }
}

type ReadHeader = (name: string) => readonly string[]

/** The head of a request over a socket, from the raw headers: Node's own view drops duplicates. */
export function headOfIncoming(incoming: IncomingMessage): RequestHead {
  const raw = incoming.rawHeaders
  const { socket } = incoming
  const from = {
    isLocal: isLoopbackIp(socket.remoteAddress ?? ''),
    isSecure: (socket as Partial<TLSSocket>).encrypted === true,
  }
  return headOf(incoming.method ?? 'GET', incoming.url ?? '', from, (name) => {
    const values: string[] = []
    for (let index = 0; index + 1 < raw.length; index += 2) {
      if (raw[index]?.toLowerCase() === name) values.push(raw[index + 1] ?? '')
    }
    return values
  })
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
  // called without a socket: by this very process
  return headOf(method, pathname + search, { isLocal: true, isSecure: false }, (name) => {
    const value = headers.get(name)
    return value === null ? [] : [value]
  })
}

function headOf(
  method: string,
  target: string,
  from: Pick<RequestHead, 'isLocal' | 'isSecure'>,
  read: ReadHeader,
): RequestHead {
  return {
    ...from,
    method,
    target,
    host: read('host'),
    origin: read('origin'),
    authorization: read('authorization'),
    contentType: read('content-type'),
    contentEncoding: read('content-encoding'),
    fetchSite: read('sec-fetch-site'),
    fetchMode: read('sec-fetch-mode'),
  }
}
