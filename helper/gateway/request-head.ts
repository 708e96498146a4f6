import type { IncomingMessage } from 'node:http'
import type { Context } from 'hono'
import type { HttpBindings } from '@hono/node-server'
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
  return headOf(incoming.method ?? 'GET', incoming.url ?? '', (name) => {
    const values: string[] = []
    for (let index = 0; index + 1 < raw.length; index += 2) {
      if (raw[index]?.toLowerCase() === name) values.push(raw[index + 1] ?? '')
    }
    return values
  })
}

/** The head of a request as the app sees it. */
export function headOfContext(context: Context<GatewayEnv>): RequestHead {
  // `env` is undefined when the app is called without a server
  const incoming = (context.env as GatewayEnv['Bindings'] | undefined)?.incoming
  if (incoming !== undefined) return headOfIncoming(incoming)
  const { headers, method, url } = context.req.raw
  const { pathname, search } = new URL(url)
  return headOf(method, pathname + search, (name) => {
    const value = headers.get(name)
    return value === null ? [] : [value]
  })
}

function headOf(method: string, target: string, read: ReadHeader): RequestHead {
  return {
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
