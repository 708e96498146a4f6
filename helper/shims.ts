/**
 * What libp2p 3 expects of Node 22 and Node 20 lacks. Must be imported before
 * anything of libp2p; on newer Nodes it does nothing.
 */
import { WebSocket } from 'ws'

if (typeof Promise.withResolvers !== 'function') {
  Object.defineProperty(Promise, 'withResolvers', {
    configurable: true,
    writable: true,
    value<Value>(): { promise: Promise<Value>; resolve: (value: Value) => void; reject: (reason?: unknown) => void } {
      let resolve!: (value: Value) => void
      let reject!: (reason?: unknown) => void
      const promise = new Promise<Value>((accept, refuse) => {
        resolve = accept
        reject = refuse
      })
      return { promise, resolve, reject }
    },
  })
}

/**
 * As in browsers, an error that nobody listens to is nobody's: libp2p stops listening
 * to a socket when its dial is given up, and the refusal that comes later would end
 * the process.
 */
class QuietWebSocket extends WebSocket {
  constructor(...args: ConstructorParameters<typeof WebSocket>) {
    super(...args)
    this.on('error', () => {})
  }
}

if (!('WebSocket' in globalThis)) {
  Object.defineProperty(globalThis, 'WebSocket', { configurable: true, writable: true, value: QuietWebSocket })
}
