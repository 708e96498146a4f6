import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { getRequestListener } from '@hono/node-server'
import { MeshError, messageOf, throwIfAborted, type Clock, type Logger, type Random } from '../../mesh/base/index.ts'
import type { Mesh } from '../../mesh/mesh-types.ts'
import { createGatewayApp, type GatewayMount } from './app.ts'
import { createEventSockets, type EventSockets } from './events.ts'
import { guardRules, tokenCheck, type GuardRules } from './guard.ts'
import { GATEWAY_LIMITS } from './limits.ts'
import { createOpenAsks } from './open-asks.ts'
import { badRequest, failureOf, failureResponse } from './openai-errors.ts'
import { createPageFiles } from './page-files.ts'

/** What a gateway is made of. */
export interface GatewayOptions {
  readonly mesh: Mesh
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
  /** Wanted by `/v1` and `/api`. Never empty, never logged. */
  readonly token: string
  /** The folder with the built page; it may still be missing. */
  readonly pageDir: string
  /** Routes of other parts of the helper. */
  readonly mounts?: readonly GatewayMount[]
}

/** Where a gateway listens. */
export interface ListenOptions {
  /** 0: any free port. */
  readonly port: number
  /** A loopback address; default 127.0.0.1. */
  readonly host?: string
  readonly signal?: AbortSignal | undefined
}

/** A gateway that answers. */
export interface ListeningGateway {
  readonly port: number
  /** `http://127.0.0.1:PORT` */
  readonly url: string
  /** Ends every answer and socket and frees the port; waits at most 2 s, or until the signal. */
  close(options?: { readonly signal?: AbortSignal | undefined }): Promise<void>
}

/** The helper's face for programs and browsers on this machine. */
export interface Gateway {
  /**
   * Starts to answer on one port of the loopback interface.
   * @throws MeshError `port-taken`, `config-invalid` (an address that is not loopback, a port that may not be used), `aborted`.
   */
  listen(options: ListenOptions): Promise<ListeningGateway>
}

const LOOPBACK = new Set(['127.0.0.1', '::1', 'localhost'])

/**
 * A gateway over a mesh. It knows the mesh by its facade only.
 * @throws MeshError `config-invalid` for an empty token.
 * @example
 * const gateway = createGateway({ mesh, clock, random, log, token, pageDir })
 * const { url, close } = await gateway.listen({ port: 8642 })
 */
export function createGateway(options: GatewayOptions): Gateway {
  if (options.token.trim() === '') {
    throw new MeshError('config-invalid', 'The gateway token is empty. Unset PLEXUS_TOKEN, or give it a value.')
  }
  return { listen: (listenOptions) => listen(options, listenOptions) }
}

async function listen(
  options: GatewayOptions,
  { port, host = '127.0.0.1', signal }: ListenOptions,
): Promise<ListeningGateway> {
  throwIfAborted(signal)
  if (!LOOPBACK.has(host)) {
    throw new MeshError('config-invalid', `The gateway listens on this machine only, not on ${host}.`)
  }
  const { mesh, clock, random, log } = options
  const isToken = tokenCheck(options.token)
  const asks = createOpenAsks()
  let ownRules: GuardRules = { hosts: new Set(), origins: new Set() }
  const rules = (): GuardRules => ownRules
  const files = createPageFiles(options.pageDir)
  const app = createGatewayApp({ mesh, clock, random, log, isToken, files, rules, asks, mounts: options.mounts ?? [] })
  const sockets = createEventSockets({ mesh, clock, log, isToken, rules })
  // the global Request and Response stay Node's own: other parts of the helper use them
  const respond = getRequestListener((request, env) => app.fetch(request, env), {
    overrideGlobalObjects: false,
    // its cleaning resets a connection after half a second of unread body; Node's own
    // reads it away, within the time a request may take
    autoCleanupIncoming: false,
    errorHandler: unreadable,
  })
  const server = createHttpServer(
    (incoming, outgoing) => {
      respond(incoming, outgoing).catch((error: unknown) => {
        log.error('A request broke the gateway.', { error })
        outgoing.destroy()
      })
    },
    sockets,
    log,
  )
  const boundPort = await bind(server, port, host, signal)
  ownRules = guardRules(boundPort)
  return {
    port: boundPort,
    url: `http://${host === '::1' ? '[::1]' : host}:${String(boundPort)}`,
    async close(closeOptions = {}) {
      sockets.close()
      asks.abortAll(new MeshError('offline', 'The helper is stopping.'))
      await closeServer(server, sockets, clock, closeOptions.signal)
    },
  }
}

/** A request whose target or Host makes no URL never reaches the app. */
function unreadable(error: unknown): Response {
  if (error instanceof Error && error.name === 'RequestError') {
    return failureResponse(
      badRequest('The address or the Host header of this request is malformed.', { code: 'invalid_target' }),
    )
  }
  return failureResponse(failureOf(error))
}

function createHttpServer(
  onRequest: (incoming: IncomingMessage, outgoing: ServerResponse) => void,
  sockets: EventSockets,
  log: Logger,
): Server {
  const server = createServer(
    {
      requestTimeout: GATEWAY_LIMITS.requestMs,
      connectionsCheckingInterval: GATEWAY_LIMITS.timeCheckMs,
      headersTimeout: GATEWAY_LIMITS.headMs,
    },
    onRequest,
  )
  server.maxConnections = GATEWAY_LIMITS.connections
  server.on('upgrade', (incoming: IncomingMessage, socket: Duplex, head: Buffer) => {
    sockets.upgrade(incoming, socket, head)
  })
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Duplex) => {
    log.debug('A client sent no HTTP.', { code: error.code ?? 'unknown' })
    if (error.code === 'ECONNRESET' || !socket.writable) socket.destroy()
    else socket.end(clientErrorAnswer(error.code))
  })
  return server
}

function clientErrorAnswer(code: string | undefined): string {
  const [status, message] =
    code === 'HPE_HEADER_OVERFLOW'
      ? ['431 Request Header Fields Too Large', 'The headers of this request are too large.']
      : code === 'ERR_HTTP_REQUEST_TIMEOUT'
        ? ['408 Request Timeout', 'The request did not arrive in time.']
        : ['400 Bad Request', 'This is not a valid HTTP request.']
  const body = JSON.stringify({ error: { message, type: 'invalid_request_error', param: null, code: 'invalid_http' } })
  return [
    `HTTP/1.1 ${status}`,
    'Content-Type: application/json; charset=utf-8',
    `Content-Length: ${String(Buffer.byteLength(body))}`,
    'Connection: close',
    '',
    body,
  ].join('\r\n')
}

async function bind(server: Server, port: number, host: string, signal: AbortSignal | undefined): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      reject(bindError(error, port))
    })
    server.listen({ port, host, exclusive: true }, resolve)
  })
  const address = server.address()
  if (signal?.aborted === true || address === null || typeof address === 'string') {
    server.close()
    throwIfAborted(signal)
    throw new MeshError('bug', 'The gateway listens, yet has no port.')
  }
  return address.port
}

function bindError(error: NodeJS.ErrnoException, port: number): MeshError {
  const detail = { port }
  if (error.code === 'EADDRINUSE') {
    return new MeshError(
      'port-taken',
      `Port ${String(port)} is taken by another program. Stop that program, or choose another port with --port.`,
      {
        cause: error,
        detail,
        fault: 'user',
      },
    )
  }
  return new MeshError(
    'config-invalid',
    `Port ${String(port)} cannot be used (${messageOf(error)}). Choose another with --port.`,
    {
      cause: error,
      detail,
    },
  )
}

async function closeServer(
  server: Server,
  sockets: EventSockets,
  clock: Clock,
  signal: AbortSignal | undefined,
): Promise<void> {
  const cut = (): void => {
    // an upgraded connection is no longer the HTTP server's to close
    sockets.cut()
    server.closeAllConnections()
  }
  const cancelCut = clock.schedule(GATEWAY_LIMITS.closeGraceMs, cut)
  // a connection whose last answer ends now would otherwise be kept for a next request
  let cancelSweep = (): void => {}
  const sweep = (): void => {
    server.closeIdleConnections()
    cancelSweep = clock.schedule(GATEWAY_LIMITS.closeSweepMs, sweep)
  }
  if (signal?.aborted === true) cut()
  else signal?.addEventListener('abort', cut, { once: true })
  try {
    await new Promise<void>((resolve) => {
      server.close(() => {
        resolve()
      })
      sweep()
    })
  } finally {
    cancelCut()
    cancelSweep()
    signal?.removeEventListener('abort', cut)
  }
}
