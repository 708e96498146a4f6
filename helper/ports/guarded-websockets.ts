import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import type { CreateListenerOptions, Listener, Transport } from '@libp2p/interface'
import { webSockets } from '@libp2p/websockets'
import { callHeadOf, NO_OTHER_CALLERS, refusePeerCaller, writeRefusal, type Refusal } from '../door/index.ts'
import { systemClock } from './clock.ts'

/** Says why an upgrade of a peer is refused; undefined: it is not. */
export type RefuseCaller = (incoming: IncomingMessage) => Refusal | undefined

/** The part of the library's listener that takes upgrades; it looks for it when it begins to listen. */
interface TakingListener extends Listener {
  onUpgrade(incoming: IncomingMessage, socket: Duplex, head: Buffer): void
}

/**
 * The WebSocket transport of libp2p over a port of its own, plain or TLS, whose
 * upgrades `refuse` judges before any handshake is answered.
 */
export function guardedWebSockets(refuse: RefuseCaller = refuseOutsiders): (components: never) => Transport {
  const make = webSockets()
  return (components) => {
    const transport = make(components)
    const create = transport.createListener.bind(transport)
    transport.createListener = (options: CreateListenerOptions) => {
      const listener = create(options) as TakingListener
      const take = listener.onUpgrade.bind(listener)
      listener.onUpgrade = (incoming, socket, head) => {
        const refusal = refuse(incoming)
        if (refusal === undefined) {
          take(incoming, socket, head)
          return
        }
        // who hangs up on the refusal is nobody's trouble
        socket.on('error', () => {})
        writeRefusal(socket, refusal, systemClock)
      }
      return listener
    }
    return transport
  }
}

/** For a peer of this machine: exact names of loopback, no page but one of this very port. */
function refuseOutsiders(incoming: IncomingMessage): Refusal | undefined {
  return refusePeerCaller(callHeadOf(incoming), incoming.socket.localPort ?? 0, NO_OTHER_CALLERS)
}

/**
 * For a public relay, which cannot know its names: no website's page, only pages that
 * a helper serves on the machine of the browser, and those at listed origins.
 */
export function refuseWebsites(pageOrigins: readonly string[]): RefuseCaller {
  return (incoming) => {
    const [origin, ...others] = callHeadOf(incoming).origin
    if (origin === undefined) return undefined
    const isHelperPage = /^https?:\/\/(?:127\.0\.0\.1|localhost|\[::1\])(?::\d{1,5})?$/.test(origin)
    if (others.length === 0 && (isHelperPage || pageOrigins.includes(origin))) return undefined
    return { status: 403, message: 'Pages of other origins may not use this relay.', code: 'origin_not_allowed' }
  }
}
