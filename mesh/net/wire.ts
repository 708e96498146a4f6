import type { MultiaddrConnection } from '@libp2p/interface'
import type { Clock } from '../base/index.ts'
import type { Account } from './budgets/index.ts'

/**
 * Charges what comes over a connection, and the work that it makes before any stream has
 * it, to its account; whoever owes is not read from until it is paid. That holds for
 * everything beneath our own protocols too: handshakes, pings, half-open streams.
 */
export interface Wire {
  /** The connection is up: what comes from now on is charged here. */
  meter(account: Account): void
}

/** Watches a connection from its first byte, so that nothing on it is heard before. */
export function watchWire(connection: MultiaddrConnection, clock: Clock): Wire {
  let account: Account | undefined
  let startedAt = 0
  let isPaused = false
  let cancel = (): void => {}

  const resume = (): void => {
    if (connection.status !== 'open') return
    const waitMs = account?.waitMs() ?? 0
    if (waitMs > 0) cancel = clock.schedule(waitMs, resume)
    else {
      isPaused = false
      connection.resume()
    }
  }
  const pause = (waitMs: number): void => {
    if (connection.status !== 'open' || isPaused) return
    isPaused = true
    connection.pause()
    cancel = clock.schedule(waitMs, resume)
  }

  // the first to hear it: what the others make of it is work of this connection's
  connection.addEventListener('message', () => {
    startedAt = clock.monotonic()
  })
  connection.addEventListener('close', () => {
    cancel()
  })

  return {
    meter(given) {
      account = given
      given.isMetered = true
      // the last to hear it
      connection.addEventListener('message', ({ data }) => {
        given.charge({ bytes: data.byteLength, workMs: clock.monotonic() - startedAt })
        const waitMs = given.waitMs()
        if (waitMs > 0) pause(waitMs)
      })
    },
  }
}
