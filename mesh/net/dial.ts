import type { Connection } from '@libp2p/interface'
import { multiaddr } from '@multiformats/multiaddr'
import {
  asMeshError,
  deadline,
  DIAL_STAGGER_MS,
  DIAL_TIMEOUT_MS,
  MeshError,
  messageOf,
  sleep,
  throwIfAborted,
  type Clock,
} from '../base/index.ts'
import type { PeerNode } from './node.ts'

/**
 * Tries all ways to one device: each gets a head start, and a next one starts
 * beside it when it is slow or at once when it failed. The first that connects
 * wins, the others are given up.
 * @throws MeshError `offline` naming how the last way failed, `aborted`
 */
export async function dialFirst(
  node: PeerNode,
  ways: readonly string[],
  ports: { readonly clock: Clock },
  options: { readonly signal: AbortSignal },
): Promise<Connection> {
  const { clock } = ports
  throwIfAborted(options.signal)
  const race = deadline(clock, DIAL_TIMEOUT_MS * 2, 'Connecting', options.signal)
  const lost = new AbortController()
  const signal = AbortSignal.any([race.signal, lost.signal])
  const failures: string[] = []

  const attempt = async (way: string): Promise<Connection> => {
    const limit = deadline(clock, DIAL_TIMEOUT_MS, 'Connecting', signal)
    try {
      return await node.dial(multiaddr(way), { signal: limit.signal })
    } catch (error) {
      failures.push(messageOf(error))
      throw asMeshError(error, 'offline')
    } finally {
      limit.clear()
    }
  }

  try {
    const running: Promise<Connection>[] = []
    for (const way of ways) {
      const one = attempt(way)
      running.push(one)
      const head = sleep(clock, DIAL_STAGGER_MS, { signal }).then(
        () => undefined,
        () => undefined,
      )
      // a failure ends the head start; a success ends the race
      const first = await Promise.race([one.catch(() => undefined), head])
      if (first !== undefined) return first
      throwIfAborted(signal)
    }
    return await Promise.any(running)
  } catch (error) {
    throwIfAborted(options.signal)
    throw new MeshError('offline', `No way to the device works: ${failures.at(-1) ?? 'none is known'}.`, {
      cause: error,
    })
  } finally {
    lost.abort(new MeshError('aborted', 'Another way was faster.'))
    race.clear()
  }
}
