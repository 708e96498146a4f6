import { createServer as createHttpServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createServer as createHttpsServer, type Server as TlsServer } from 'node:https'
import { createServer, type Server as TcpServer, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { MeshError, messageOf, throwIfAborted, type Clock, type Logger } from '../../mesh/base/index.ts'
import { createConnections, type Connections } from './connections.ts'
import { callHeadOf, NO_OTHER_CALLERS, refusePeerCaller, type PeerCallers } from './guard.ts'
import { DOOR_LIMITS } from './limits.ts'
import { oneAtATime } from './requests.ts'
import { endSoon, writeRefusal } from './refusal.ts'

/** Takes over a connection that asked to speak WebSocket. */
export type TakeUpgrade = (incoming: IncomingMessage, socket: Duplex, head: Buffer) => void

/** Who answers requests and takes upgrades that are not of peers. */
export interface Visitors {
  request(incoming: IncomingMessage, outgoing: ServerResponse): void
  readonly upgrade: TakeUpgrade
  /** What came is no HTTP, or came too slowly. Ends or destroys the socket. */
  badRequest(error: NodeJS.ErrnoException, socket: Duplex): void
}

/** Private key and certificate chain, both as PEM text. */
export interface TlsPair {
  readonly key: string
  readonly cert: string
}

/** What a port is opened with. */
export interface DoorOptions {
  /** 0: any free port. */
  readonly port: number
  /** The address to listen on. */
  readonly host: string
  readonly clock: Clock
  readonly log: Logger
  /** Who else may open the WebSocket of the peer, asked each time; default: nobody. */
  readonly callers?: (() => PeerCallers) | undefined
  readonly signal?: AbortSignal | undefined
}

/** An open port. Who connects before it is served waits. */
export interface Door {
  readonly port: number
  readonly host: string
  /** Whether TLS is spoken now. */
  readonly isSecure: boolean
  serve(visitors: Visitors): void
  /** Hands upgrades of peers (target `/`, from nobody's page but ours) to `take`, until the returned function is called. */
  servePeers(take: TakeUpgrade): () => void
  /**
   * Speaks TLS with this pair from now on; undefined: no more TLS. Open connections stay as they are.
   * @throws MeshError `config-invalid` when the two do not fit.
   */
  setCertificate(pair: TlsPair | undefined): void
  /**
   * Frees the port and waits until every visit has ended, at most 2 s or until the
   * signal; peers stay connected.
   */
  endVisits(options?: { readonly signal?: AbortSignal | undefined }): Promise<void>
  /** Ends visits, then cuts every connection that is left. */
  close(options?: { readonly signal?: AbortSignal | undefined }): Promise<void>
}

/** First byte of a TLS record that begins a handshake (RFC 8446, 5.1). No HTTP method begins with it. */
const TLS_HANDSHAKE = 22
/** What the WebSocket of a peer asks for. */
const PEER_TARGET = '/'

/**
 * Opens one TCP port for everything the helper serves. The first byte of a connection
 * says whether it speaks TLS; it is put back, and the connection goes on with the
 * address it came from.
 * @throws MeshError `port-taken`, `config-invalid` (a port that may not be used), `aborted`.
 */
export async function openDoor(options: DoorOptions): Promise<Door> {
  const { clock, log, signal, callers = () => NO_OTHER_CALLERS } = options
  throwIfAborted(signal)
  const connections = createConnections({
    most: DOOR_LIMITS.connections,
    perAddress: DOOR_LIMITS.connectionsPerAddress,
  })
  const hold: Socket[] = []
  const served: { visitors?: Visitors; peers?: TakeUpgrade; tls?: TlsServer } = {}

  const upgrade: TakeUpgrade = (incoming, socket, head) => {
    if (incoming.url !== PEER_TARGET) {
      served.visitors?.upgrade(incoming, socket, head)
      return
    }
    if (served.peers === undefined) {
      socket.destroy()
      return
    }
    const refusal = refusePeerCaller(callHeadOf(incoming), port, callers())
    if (refusal !== undefined) {
      log.warn('A WebSocket from outside was refused.', { code: refusal.code })
      socket.on('error', (error: unknown) => {
        log.debug('A connection failed.', { reason: messageOf(error) })
      })
      writeRefusal(socket, refusal, clock)
      return
    }
    connections.markPeer(incoming.socket)
    served.peers(incoming, socket, head)
  }
  const dress = <Own extends Server | TlsServer>(server: Own): Own => {
    server.on(
      'request',
      oneAtATime((incoming, outgoing) => served.visitors?.request(incoming, outgoing)),
    )
    server.on('upgrade', upgrade)
    server.on('clientError', (error: NodeJS.ErrnoException, socket: Duplex) => {
      if (served.visitors === undefined) socket.destroy()
      else served.visitors.badRequest(error, socket)
      endSoon(socket, clock)
    })
    // it never listens itself, yet only a server that does looks for late requests
    server.emit('listening')
    return server
  }
  const http = dress(createHttpServer(HTTP_OPTIONS))

  const handOn = async (socket: Socket): Promise<void> => {
    const byte = await firstByte(socket, clock)
    if (byte === undefined) return
    const server = byte === TLS_HANDSHAKE ? served.tls : http
    if (server === undefined) socket.destroy()
    else server.emit('connection', socket)
  }
  // half open as HTTP's own: a client may end its side and still wait for the answer
  const tcp = createServer({ pauseOnConnect: true, allowHalfOpen: true }, (socket) => {
    socket.on('error', (error) => {
      log.debug('A connection failed.', { reason: messageOf(error) })
    })
    if (!connections.add(socket)) socket.destroy()
    else if (served.visitors === undefined) hold.push(socket)
    else void handOn(socket)
  })
  const port = await bind(tcp, options, signal)
  const closed = new Promise<void>((resolve) => tcp.once('close', resolve))
  const servers = (): readonly Server[] => (served.tls === undefined ? [http] : [http, served.tls])

  const endVisits: Door['endVisits'] = async (endOptions = {}) => {
    if (tcp.listening) tcp.close()
    await visitsEnded(connections, servers, clock, endOptions.signal)
  }

  return {
    port,
    host: options.host,
    get isSecure() {
      return served.tls !== undefined
    },
    serve(visitors) {
      served.visitors = visitors
      for (const socket of hold.splice(0)) void handOn(socket)
    },
    servePeers(take) {
      served.peers = take
      return () => {
        if (served.peers === take) delete served.peers
      }
    },
    setCertificate(pair) {
      try {
        if (pair === undefined) {
          served.tls?.close()
          delete served.tls
        } else if (served.tls === undefined) served.tls = dress(createTlsServer(pair, log))
        else served.tls.setSecureContext(pair)
      } catch (error) {
        throw new MeshError('config-invalid', `The certificate cannot be used: ${messageOf(error)}.`, { cause: error })
      }
    },
    endVisits,
    async close(closeOptions = {}) {
      await endVisits(closeOptions)
      connections.destroyAll()
      for (const server of servers()) server.close()
      await closed
    },
  }
}

const HTTP_OPTIONS = {
  requestTimeout: DOOR_LIMITS.requestMs,
  connectionsCheckingInterval: DOOR_LIMITS.timeCheckMs,
  headersTimeout: DOOR_LIMITS.headMs,
}

function createTlsServer(pair: TlsPair, log: Logger): TlsServer {
  const server = createHttpsServer({
    ...HTTP_OPTIONS,
    ...pair,
    handshakeTimeout: DOOR_LIMITS.handshakeMs,
    minVersion: 'TLSv1.2',
  })
  server.on('tlsClientError', (error, socket) => {
    // a browser that does not trust the certificate ends the handshake: no event worth a line in the log
    log.debug('A TLS handshake failed.', { reason: messageOf(error) })
    socket.destroy()
  })
  return server
}

/** The first byte of a connection, left in place; undefined when it closes or says nothing. */
function firstByte(socket: Socket, clock: Clock): Promise<number | undefined> {
  return new Promise((resolve) => {
    const end = (byte: number | undefined): void => {
      cancel()
      socket.off('readable', look).off('close', gone).off('end', giveUp)
      resolve(byte)
    }
    const gone = (): void => {
      end(undefined)
    }
    const giveUp = (): void => {
      socket.destroy()
    }
    const look = (): void => {
      const chunk = socket.read(1) as Buffer | null
      if (chunk === null) return
      socket.unshift(chunk)
      end(chunk[0])
    }
    const cancel = clock.schedule(DOOR_LIMITS.firstByteMs, giveUp)
    socket.once('close', gone)
    // it ended its side without a word
    socket.once('end', giveUp)
    socket.on('readable', look)
  })
}

async function bind(server: TcpServer, options: DoorOptions, signal: AbortSignal | undefined): Promise<number> {
  const { port, host } = options
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
    throw new MeshError('bug', 'The helper listens, yet has no port.')
  }
  return address.port
}

function bindError(error: NodeJS.ErrnoException, port: number): MeshError {
  const options = { cause: error, detail: { port } }
  if (error.code === 'EADDRINUSE') {
    return new MeshError(
      'port-taken',
      `Port ${String(port)} is taken by another program. Stop that program, or choose another port with --port.`,
      { ...options, fault: 'user' },
    )
  }
  return new MeshError(
    'config-invalid',
    `Port ${String(port)} cannot be used (${messageOf(error)}). Choose another with --port.`,
    options,
  )
}

async function visitsEnded(
  connections: Connections,
  servers: () => readonly Server[],
  clock: Clock,
  signal: AbortSignal | undefined,
): Promise<void> {
  const cut = (): void => {
    connections.destroyVisits()
  }
  const cancelCut = clock.schedule(DOOR_LIMITS.closeGraceMs, cut)
  if (signal?.aborted === true) cut()
  else signal?.addEventListener('abort', cut, { once: true })
  let cancelSweep = (): void => {}
  try {
    // a connection whose last answer ends now would otherwise be kept for a next request
    const sweep = (): void => {
      for (const server of servers()) server.closeIdleConnections()
      cancelSweep = clock.schedule(DOOR_LIMITS.closeSweepMs, sweep)
    }
    sweep()
    await connections.visitsEnded()
  } finally {
    cancelCut()
    cancelSweep()
    signal?.removeEventListener('abort', cut)
  }
}
