import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import {
  TypedEventEmitter,
  type ComponentLogger,
  type CreateListenerOptions,
  type Listener,
  type ListenerEvents,
  type Logger,
  type Transport,
  type Upgrader,
} from '@libp2p/interface'
import { AbstractMultiaddrConnection, ipPortToMultiaddr } from '@libp2p/utils'
import { webSockets } from '@libp2p/websockets'
import { multiaddr, type Multiaddr } from '@multiformats/multiaddr'
import type { Uint8ArrayList } from 'uint8arraylist'
import { WebSocketServer, type RawData, type WebSocket } from 'ws'

/** Where WebSockets of peers come in, opened and closed by somebody else. */
export interface PeerEntrance {
  /** Multiaddrs without peer id under which it can be reached now. */
  addresses(): readonly string[]
  /** Hands it upgrades of peers, until the returned function is called. */
  servePeers(take: (incoming: IncomingMessage, socket: Duplex, head: Buffer) => void): () => void
}

/** Unsent bytes of one socket above which the stream waits. */
const BUFFERED_MAX_BYTES = 4 * 1024 * 1024
/** Largest WebSocket message: far above any Noise frame (65,535 bytes), far below what would fill the memory. */
const MESSAGE_MAX_BYTES = 1024 * 1024

/**
 * The WebSocket transport of libp2p with a listener that has no port of its own:
 * upgrades come from `entrance`, so that page and peers share one port.
 */
export function entranceWebSockets(entrance: PeerEntrance): (components: never) => Transport {
  const make = webSockets()
  return (components: { readonly logger: ComponentLogger }) => {
    const transport = make(components as never)
    transport.createListener = ({ upgrader }: CreateListenerOptions) =>
      new EntranceListener(entrance, upgrader, components.logger.forComponent('plexus:entrance'))
    return transport
  }
}

class EntranceListener extends TypedEventEmitter<ListenerEvents> implements Listener {
  readonly #entrance: PeerEntrance
  readonly #upgrader: Upgrader
  readonly #log: Logger
  readonly #closing = new AbortController()
  readonly #server = new WebSocketServer({ noServer: true, maxPayload: MESSAGE_MAX_BYTES, perMessageDeflate: false })
  #leave: (() => void) | undefined

  constructor(entrance: PeerEntrance, upgrader: Upgrader, log: Logger) {
    super()
    this.#entrance = entrance
    this.#upgrader = upgrader
    this.#log = log
  }

  async listen(): Promise<void> {
    await Promise.resolve()
    this.#leave = this.#entrance.servePeers((incoming, socket, head) => {
      this.#server.handleUpgrade(incoming, socket, head, (client) => {
        this.#welcome(client, incoming)
      })
    })
    this.safeDispatchEvent('listening')
  }

  #welcome(client: WebSocket, incoming: IncomingMessage): void {
    const { remoteAddress = '0.0.0.0', remotePort = 0 } = incoming.socket
    const remoteAddr = ipPortToMultiaddr(remoteAddress, remotePort).encapsulate('/ws')
    const connection = new SocketConnection(client, remoteAddr, this.#log)
    this.#upgrader.upgradeInbound(connection, { signal: this.#closing.signal }).catch((error: unknown) => {
      this.#log('a peer was not let in - %e', error)
      connection.abort(error instanceof Error ? error : new DOMException('The upgrade failed.', 'AbortError'))
    })
  }

  getAddrs(): Multiaddr[] {
    return this.#leave === undefined ? [] : this.#entrance.addresses().map((address) => multiaddr(address))
  }

  updateAnnounceAddrs(): void {
    // nothing to add: no hash stands in these addresses
  }

  async close(): Promise<void> {
    await Promise.resolve()
    this.#leave?.()
    this.#leave = undefined
    this.#closing.abort()
    for (const client of this.#server.clients) client.terminate()
    this.#server.close()
    this.safeDispatchEvent('close')
  }
}

/** A server-side WebSocket as libp2p takes connections. */
class SocketConnection extends AbstractMultiaddrConnection {
  readonly #socket: WebSocket

  constructor(socket: WebSocket, remoteAddr: Multiaddr, log: Logger) {
    super({ remoteAddr, log, direction: 'inbound' })
    this.#socket = socket
    socket.binaryType = 'nodebuffer'
    socket.on('message', (data: RawData) => {
      this.onData(bytesOf(data))
    })
    socket.once('close', (code) => {
      if (this.status === 'aborted') return
      // 1006: it went without saying so
      if (code === 1006) this.onRemoteReset()
      else this.onTransportClosed()
    })
    // a "close" follows every error
    socket.on('error', (error) => {
      this.log('socket failed - %e', error)
    })
  }

  sendData(data: Uint8ArrayList): { sentBytes: number; canSendMore: boolean } {
    for (const part of data) {
      this.#socket.send(part, () => {
        if (this.writableNeedsDrain && this.#socket.bufferedAmount === 0) this.safeDispatchEvent('drain')
      })
    }
    return { sentBytes: data.byteLength, canSendMore: this.#socket.bufferedAmount < BUFFERED_MAX_BYTES }
  }

  sendReset(): void {
    this.#socket.terminate()
  }

  async sendClose(): Promise<void> {
    await Promise.resolve()
    this.#socket.close()
  }

  sendPause(): void {
    this.#socket.pause()
  }

  sendResume(): void {
    this.#socket.resume()
  }
}

function bytesOf(data: RawData): Uint8Array {
  if (Array.isArray(data)) return Buffer.concat(data)
  return data instanceof ArrayBuffer ? new Uint8Array(data) : data
}
