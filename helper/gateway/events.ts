import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { WebSocketServer, type WebSocket } from 'ws'
import { messageOf, type Clock, type Logger } from '../../mesh/base/index.ts'
import type { DeviceView, Mesh, MeshEvent, Standing } from '../../mesh/mesh-types.ts'
import { refuseOutsider, writeRefusal, zoneOf, type GuardRules, type UpgradeRefusal } from '../door/index.ts'
import { HERE_ONLY, refuseStranger, type TokenCheck } from './guard.ts'
import { GATEWAY_LIMITS } from './limits.ts'
import { headOfIncoming } from './request-head.ts'

/** Where the events are. */
export const EVENTS_PATH = '/api/v1/events'

/** What a client may ask for as subprotocol; the one with the token stands in for a header browsers cannot send. */
export const EVENTS_PROTOCOL = 'plexus.events.v1'

const TOKEN_PROTOCOL = 'plexus.token.'

/** What an event socket sends, one JSON text each: first `hello`, then what happens. */
export type GatewayEvent =
  | {
      readonly type: 'hello'
      readonly at: number
      readonly self: string
      readonly standing: Standing
      readonly devices: readonly DeviceView[]
    }
  | (MeshEvent & { /** ms since 1970 */ readonly at: number })

/** The event sockets of a gateway. */
export interface EventSockets {
  /** Takes over an upgrade request, or refuses it with a status and closes. */
  upgrade(incoming: IncomingMessage, socket: Duplex, head: Buffer): void
  /** Closes every socket with 1001. */
  close(): void
  /** Cuts the sockets that did not close. */
  cut(): void
  readonly size: number
}

/** What the sockets need. */
export interface EventSocketsPorts {
  readonly mesh: Mesh
  readonly clock: Clock
  readonly log: Logger
  readonly isToken: TokenCheck
  readonly rules: () => GuardRules
}

/** Event sockets: guarded like every route, bounded, pinged. */
export function createEventSockets(ports: EventSocketsPorts): EventSockets {
  const { clock, log } = ports
  const server = new WebSocketServer({
    noServer: true,
    maxPayload: GATEWAY_LIMITS.eventMessageBytes,
    perMessageDeflate: false,
    handleProtocols: chooseProtocol,
  })
  return {
    get size() {
      return server.clients.size
    },
    upgrade(incoming, socket, head) {
      socket.on('error', (error: unknown) => {
        log.debug('An event socket failed before it was open.', { reason: messageOf(error) })
      })
      const refusal = refuseUpgrade(incoming, ports, server.clients.size)
      if (refusal !== undefined) {
        writeRefusal(socket, refusal, clock)
        return
      }
      server.handleUpgrade(incoming, socket, head, (client) => {
        serveEvents(client, ports)
      })
    },
    close() {
      for (const client of server.clients) client.close(1001, 'The helper is stopping.')
      server.close()
    },
    cut() {
      for (const client of server.clients) client.terminate()
    },
  }
}

function refuseUpgrade(
  incoming: IncomingMessage,
  ports: EventSocketsPorts,
  openSockets: number,
): UpgradeRefusal | undefined {
  const head = headOfIncoming(incoming)
  const outsider = refuseOutsider(head, ports.rules())
  if (outsider !== undefined) return outsider
  if (zoneOf(head, ports.rules()) !== 'here') return HERE_ONLY
  const [path, query] = splitTarget(head.target)
  if (path !== EVENTS_PATH) return { status: 404, message: 'There is no socket at this address.', code: 'not_found' }
  const stranger = refuseStranger(credentials(incoming, head.authorization, query), (candidate) =>
    ports.isToken(candidate),
  )
  if (stranger !== undefined) return stranger
  if (openSockets >= GATEWAY_LIMITS.eventSockets) {
    return { status: 503, message: 'Too many event sockets are open.', code: 'too_many_sockets' }
  }
  return undefined
}

function splitTarget(target: string): readonly [path: string, query: URLSearchParams] {
  const mark = target.indexOf('?')
  return mark === -1
    ? [target, new URLSearchParams()]
    : [target.slice(0, mark), new URLSearchParams(target.slice(mark + 1))]
}

/**
 * The one credential, wherever it was put. Two of them are refused like two
 * headers: a request that says two things about who it is says neither.
 */
function credentials(
  incoming: IncomingMessage,
  authorization: readonly string[],
  query: URLSearchParams,
): readonly string[] {
  const offered = (incoming.headers['sec-websocket-protocol'] ?? '').split(',').map((protocol) => protocol.trim())
  const byProtocol = offered
    .filter((protocol) => protocol.startsWith(TOKEN_PROTOCOL))
    .map((protocol) => `Bearer ${unescaped(protocol.slice(TOKEN_PROTOCOL.length))}`)
  return [...authorization, ...byProtocol, ...query.getAll('token').map((token) => `Bearer ${token}`)]
}

function unescaped(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

/** A client that offers protocols must get one of them; ours if it is there, else the one with its token. */
function chooseProtocol(offered: Set<string>): string | false {
  if (offered.has(EVENTS_PROTOCOL)) return EVENTS_PROTOCOL
  return [...offered].find((protocol) => protocol.startsWith(TOKEN_PROTOCOL)) ?? false
}

function serveEvents(client: WebSocket, { mesh, clock, log }: EventSocketsPorts): void {
  const send = (event: GatewayEvent): void => {
    if (client.readyState !== client.OPEN) return
    client.send(JSON.stringify(event))
    if (client.bufferedAmount <= GATEWAY_LIMITS.eventBufferBytes) return
    log.warn('A reader of events was too slow; it was closed.', { bufferedBytes: client.bufferedAmount })
    // no close frame: it would wait behind everything the reader does not take
    client.terminate()
  }
  const unsubscribe = mesh.events.subscribe((event) => {
    send({ ...event, at: clock.now() })
  })
  const stopPings = keepPinging(client, clock, log)
  client.on('close', () => {
    stopPings()
    unsubscribe()
  })
  client.on('error', (error) => {
    log.debug('An event socket failed.', { reason: messageOf(error) })
  })
  send({ type: 'hello', at: clock.now(), self: mesh.self, standing: mesh.standing(), devices: mesh.devices() })
}

function keepPinging(client: WebSocket, clock: Clock, log: Logger): () => void {
  let isAlive = true
  let cancel = (): void => {}
  client.on('pong', () => {
    isAlive = true
  })
  const beat = (): void => {
    if (!isAlive) {
      log.info('A reader of events answered no ping; it was closed.')
      client.terminate()
      return
    }
    isAlive = false
    client.ping()
    cancel = clock.schedule(GATEWAY_LIMITS.eventPingMs, beat)
  }
  cancel = clock.schedule(GATEWAY_LIMITS.eventPingMs, beat)
  return () => {
    cancel()
  }
}
