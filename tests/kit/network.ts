import type {
  ComponentLogger,
  Listener,
  ListenerEvents,
  MultiaddrConnection,
  PeerId,
  Transport,
} from '@libp2p/interface'
import { transportSymbol, TypedEventEmitter } from '@libp2p/interface'
import { AbstractMultiaddrConnection, type SendResult } from '@libp2p/utils'
import { multiaddr, type Multiaddr } from '@multiformats/multiaddr'
import type { Uint8ArrayList } from 'uint8arraylist'
import { MeshError, randomInt, type Clock, type Random } from '../../mesh/base/index.ts'
import type { NodePreset } from '../../mesh/net/index.ts'

/** How the links of a virtual network behave. A byte stream never loses bytes: loss is a late retransmission. */
export interface LinkQuality {
  readonly latencyMs: number
  /** Up to this much more, drawn anew for each packet; order is kept. */
  readonly jitterMs: number
  /** 0 to 1: packets that need one retransmission. */
  readonly lossFraction: number
}

/** How late a packet is that had to be sent again, beside the latency, in ms. */
const RETRANSMIT_MS = 200

/** Hosts joined by links whose delay, loss and cuts the test decides; delivered by the given clock. */
export interface VirtualNetwork {
  /** What a peer on this host runs on. Its address is `/memory/<host>`. */
  preset(host: string, services?: NodePreset['services']): NodePreset
  quality(quality: Partial<LinkQuality>): void
  /** Cuts the network into groups; packets between them vanish without a sign, as on a real cut. Hosts not named can reach nobody. */
  partition(...groups: readonly (readonly string[])[]): void
  heal(): void
}

interface Components {
  readonly peerId: PeerId
  readonly logger: ComponentLogger
}

type Accept = (connection: MultiaddrConnection) => void

/** A fresh network without hosts: latency 0, no loss, no cut. */
export function createVirtualNetwork(ports: { readonly clock: Clock; readonly random: Random }): VirtualNetwork {
  const { clock, random } = ports
  const listeners = new Map<string, Accept>()
  let quality: LinkQuality = { latencyMs: 0, jitterMs: 0, lossFraction: 0 }
  let groups: readonly (readonly string[])[] | undefined

  const reachable = (a: string, b: string): boolean =>
    groups === undefined || groups.some((group) => group.includes(a) && group.includes(b))

  const delayMs = (): number =>
    quality.latencyMs +
    randomInt(random, quality.jitterMs + 1) +
    (randomInt(random, 1000) < quality.lossFraction * 1000 ? RETRANSMIT_MS : 0)

  /** One direction of a connection: first in, first out, and silent while cut. */
  const wire = (from: string, to: string): ((deliver: () => void) => void) => {
    let lastAt = 0
    return (deliver) => {
      const at = Math.max(lastAt, clock.monotonic() + delayMs())
      lastAt = at
      clock.schedule(at - clock.monotonic(), () => {
        if (reachable(from, to)) deliver()
      })
    }
  }

  const connect = (from: string, to: string, components: Components): [MultiaddrConnection, MultiaddrConnection] => {
    const log = components.logger.forComponent('virtual-network')
    const near = new VirtualConnection({
      remoteAddr: multiaddr(`/memory/${to}`),
      direction: 'outbound',
      log,
      send: wire(from, to),
    })
    const far = new VirtualConnection({
      remoteAddr: multiaddr(`/memory/${from}`),
      direction: 'inbound',
      log,
      send: wire(to, from),
    })
    near.other = far
    far.other = near
    return [near, far]
  }

  return {
    preset: (host, services) => ({
      transports: [((components: Components) => virtualTransport(host, components)) as never],
      listen: () => Promise.resolve([`/memory/${host}`]),
      services,
      canDial: (address) => address.startsWith('/memory/'),
    }),
    quality(change) {
      quality = { ...quality, ...change }
    },
    partition(...cut) {
      groups = cut
    },
    heal() {
      groups = undefined
    },
  }

  function virtualTransport(host: string, components: Components): Transport {
    const ours = (addresses: Multiaddr[]): Multiaddr[] =>
      addresses.filter((address) => address.toString().startsWith('/memory/'))
    return {
      [transportSymbol]: true,
      [Symbol.toStringTag]: '@plexus/virtual-network',
      async dial(address, options) {
        const to = /^\/memory\/([^/]+)/.exec(address.toString())?.[1] ?? ''
        const accept = listeners.get(to)
        if (accept === undefined || !reachable(host, to))
          throw new MeshError('offline', `Nobody answers at ${address.toString()}.`)
        const [near, far] = connect(host, to, components)
        accept(far)
        return options.upgrader.upgradeOutbound(near, options)
      },
      createListener(options): Listener {
        const events = new TypedEventEmitter<ListenerEvents>()
        const stopped = new AbortController()
        return Object.assign(events, {
          listen(): Promise<void> {
            listeners.set(host, (connection) => {
              options.upgrader.upgradeInbound(connection, { signal: stopped.signal }).catch((error: unknown) => {
                connection.abort(error instanceof Error ? error : new MeshError('peer-gone', String(error)))
              })
            })
            queueMicrotask(() => events.safeDispatchEvent('listening'))
            return Promise.resolve()
          },
          getAddrs: () => [multiaddr(`/memory/${host}`)],
          updateAnnounceAddrs(): void {},
          close(): Promise<void> {
            listeners.delete(host)
            stopped.abort()
            queueMicrotask(() => events.safeDispatchEvent('close'))
            return Promise.resolve()
          },
        })
      },
      listenFilter: ours,
      dialFilter: ours,
    }
  }
}

class VirtualConnection extends AbstractMultiaddrConnection {
  other: VirtualConnection | undefined
  readonly #send: (deliver: () => void) => void

  constructor(
    init: ConstructorParameters<typeof AbstractMultiaddrConnection>[0] & {
      readonly send: (deliver: () => void) => void
    },
  ) {
    super(init)
    this.#send = init.send
  }

  sendData(data: Uint8ArrayList): SendResult {
    const bytes = data.slice()
    this.#send(() => {
      if (this.other?.status === 'open') this.other.onData(bytes)
    })
    return { sentBytes: bytes.byteLength, canSendMore: true }
  }

  sendReset(): void {
    this.#send(() => this.other?.onRemoteReset())
  }

  sendClose(): Promise<void> {
    this.#send(() => {
      this.other?.onTransportClosed()
    })
    this.onTransportClosed()
    return Promise.resolve()
  }

  sendPause(): void {}

  sendResume(): void {}
}
