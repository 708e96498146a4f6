import { getRequestListener } from '@hono/node-server'
import { MeshError, throwIfAborted, type Clock, type Logger, type Random } from '../../mesh/base/index.ts'
import type { Mesh } from '../../mesh/mesh-types.ts'
import { guardRules, openDoor, type Door, type GuardRules } from '../door/index.ts'
import { createGatewayApp, type GatewayMount } from './app.ts'
import { createEventSockets } from './events.ts'
import { NO_NETWORK, type Face } from './face.ts'
import { tokenCheck } from './guard.ts'
import { createOpenAsks } from './open-asks.ts'
import { badRequest, failureOf, failureResponse } from './openai-errors.ts'
import type { Openings } from './openings.ts'
import { createPageFiles } from './page-files.ts'
import type { ProveOrigin } from './routes/origin.ts'

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
  /** The helper on its network; absent: on none. */
  readonly face?: Face
  /** Proves to a page that it is ours. */
  readonly prove?: ProveOrigin
  /** Pages this helper opens itself; absent: none. */
  readonly openings?: Openings
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
export interface ServingGateway {
  readonly port: number
  /** `http://127.0.0.1:PORT` */
  readonly url: string
  /** Ends every answer and socket and frees the port; waits at most 2 s, or until the signal. Peers stay connected. */
  close(options?: { readonly signal?: AbortSignal | undefined }): Promise<void>
}

/** The helper's face for programs and browsers on this machine. */
export interface Gateway {
  /** Answers at a port that somebody else opened and closes. */
  serve(door: Door): ServingGateway
  /**
   * Opens a port of the loopback interface for the gateway alone, and answers there.
   * @throws MeshError `port-taken`, `config-invalid` (an address that is not loopback, a port that may not be used), `aborted`.
   */
  listen(options: ListenOptions): Promise<ServingGateway>
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
  return {
    serve: (door) => serve(options, door),
    async listen({ port, host = '127.0.0.1', signal }) {
      throwIfAborted(signal)
      if (!LOOPBACK.has(host)) {
        throw new MeshError('config-invalid', `The gateway listens on this machine only, not on ${host}.`)
      }
      const door = await openDoor({ port, host, signal, clock: options.clock, log: options.log })
      const serving = serve(options, door)
      return {
        ...serving,
        async close(closeOptions) {
          await serving.close(closeOptions)
          await door.close(closeOptions)
        },
      }
    },
  }
}

function serve(options: GatewayOptions, door: Door): ServingGateway {
  const { mesh, clock, random, log } = options
  const isToken = tokenCheck(options.token)
  const asks = createOpenAsks()
  const face = options.face ?? NO_NETWORK
  const rules = (): GuardRules => guardRules(door.port, face.names())
  const files = createPageFiles(options.pageDir)
  const mounts = options.mounts ?? []
  const app = createGatewayApp({
    mesh,
    clock,
    random,
    log,
    isToken,
    files,
    rules,
    asks,
    face,
    mounts,
    prove: options.prove,
    openings: options.openings,
  })
  const sockets = createEventSockets({ mesh, clock, log, isToken, rules })
  // the global Request and Response stay Node's own: other parts of the helper use them
  const respond = getRequestListener((request, env) => app.fetch(request, env), {
    overrideGlobalObjects: false,
    // its cleaning resets a connection after half a second of unread body; Node's own
    // reads it away, within the time a request may take
    autoCleanupIncoming: false,
    errorHandler: unreadable,
  })
  door.serve({
    request(incoming, outgoing) {
      respond(incoming, outgoing).catch((error: unknown) => {
        log.error('A request broke the gateway.', { error })
        outgoing.destroy()
      })
    },
    upgrade(incoming, socket, head) {
      sockets.upgrade(incoming, socket, head)
    },
    badRequest(error, socket) {
      log.debug('A client sent no HTTP.', { code: error.code ?? 'unknown' })
      if (error.code === 'ECONNRESET' || !socket.writable) socket.destroy()
      else socket.end(clientErrorAnswer(error.code))
    },
  })
  return {
    port: door.port,
    url: `http://${door.host === '::1' ? '[::1]' : '127.0.0.1'}:${String(door.port)}`,
    async close(closeOptions = {}) {
      sockets.close()
      asks.abortAll(new MeshError('offline', 'The helper is stopping.'))
      await door.endVisits(closeOptions)
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
