import type { Connection } from '@libp2p/interface'
import { multiaddr } from '@multiformats/multiaddr'
import {
  asMeshError,
  deadline,
  DIAL_STAGGER_MS,
  DIAL_TIMEOUT_MS,
  MeshError,
  messageOf,
  RELAY_HEAD_START_MS,
  sleep,
  throwIfAborted,
  type Clock,
} from '../base/index.ts'
import type { PeerNode } from './node.ts'

const LOOPBACK = /^\/ip4\/127\./

/**
 * The forms of a way with their rank; the first form that fits decides. A page served
 * over HTTPS may open no plain WebSocket to a public address, and browsers may take
 * WebRTC-direct away from pages one day: so each has its place and none is left out.
 */
const FORMS: readonly (readonly [form: RegExp, rank: number])[] = [
  // looked for first: what follows must not take it for a WebSocket of the relay
  [/\/p2p-circuit(?!.*\/webrtc)/, 6],
  [/\/p2p-circuit\/webrtc/, 5],
  // of another device it is most often this one's own, and leads nowhere
  [LOOPBACK, 5.5],
  [/\/webrtc-direct(?:\/|$)/, 2],
  [/\/(?:wss|tls\/ws)(?:\/|$)/, 1],
  // helpers only
  [/\/tcp\/\d+(?:\/p2p\/[^/]+)?$/, 0],
  [/\/ws(?:\/|$)/, 3],
]
const LAST_RESORT = 6

/** The rank of a way where nothing else is known; lower is tried earlier. */
export function rankOf(way: string): number {
  return FORMS.find(([form]) => form.test(way))?.[1] ?? LAST_RESORT
}

/** Whether a way leads through a relay for as long as it lasts: taken only when no other works. */
export function isLastResort(way: string): boolean {
  return rankOf(way) === LAST_RESORT
}

/** Ways that are seldom right: a relay always wins when it may, and a page tells each refused WebSocket as an error. */
function waitsForOthers(way: string): boolean {
  return isLastResort(way) || LOOPBACK.test(way)
}

/** What decides the order of ways: the rank an environment gives one, or undefined for the usual. */
export type Rank = (way: string) => number | undefined

/** The same ways, those first that are up fastest and safest; of equal ones the order stays. */
export function inDialOrder(ways: readonly string[], rank: Rank = () => undefined): string[] {
  const ranked = (way: string): number => rank(way) ?? rankOf(way)
  return [...ways].sort((a, b) => ranked(a) - ranked(b))
}

/** Says for each way, in the moment it would be dialled, whether it may be, and hears how it went. */
export interface DialGate {
  admits(way: string): boolean
  worked(way: string, connection: Connection): void
  failed(way: string): void
}

/**
 * Tries all ways to one device: each gets a head start, and a next one starts
 * beside it when it is slow or at once when it failed. The first that connects
 * wins, the others are given up. Through a relay only when the others had their time.
 * A connection that is there already is taken instead, unless it has to be a new one.
 * @throws MeshError `offline` naming how the last way failed, `aborted`
 */
export async function dialFirst(
  node: PeerNode,
  ways: readonly string[],
  ports: {
    readonly clock: Clock
    readonly rank?: Rank | undefined
    readonly gate?: DialGate | undefined
    readonly isNew?: boolean
  },
  options: { readonly signal: AbortSignal },
): Promise<Connection> {
  const { clock, gate, isNew = false } = ports
  throwIfAborted(options.signal)
  const there = isNew ? undefined : connectionThere(node, ways)
  if (there !== undefined) return there
  const race = deadline(clock, DIAL_TIMEOUT_MS * 2, 'Connecting', options.signal)
  const lost = new AbortController()
  const signal = AbortSignal.any([race.signal, lost.signal])
  const failures: string[] = []

  const attempt = async (way: string): Promise<Connection> => {
    const limit = deadline(clock, DIAL_TIMEOUT_MS, 'Connecting', signal)
    try {
      const connection = await node.services.dialler.dial(multiaddr(way), { signal: limit.signal })
      gate?.worked(way, connection)
      return connection
    } catch (error) {
      // given up because another way was faster is not failed
      if (!signal.aborted) gate?.failed(way)
      failures.push(messageOf(error))
      throw asMeshError(error, 'offline')
    } finally {
      limit.clear()
    }
  }

  const running: Promise<Connection>[] = []
  let winner: Connection | undefined
  try {
    const ordered = inDialOrder(ways, ports.rank)
    for (const [index, way] of ordered.entries()) {
      if (gate?.admits(way) === false) {
        failures.unshift('what is said of where it is cannot all be tried at once')
        continue
      }
      running.push(attempt(way))
      winner = await headStart(running, [way, ordered[index + 1]], clock, signal)
      if (winner !== undefined) return winner
      throwIfAborted(signal)
    }
    winner = await Promise.any(running)
    return winner
  } catch (error) {
    throwIfAborted(options.signal)
    throw new MeshError('offline', `No way to the device works: ${failures.at(-1) ?? 'none is known'}.`, {
      cause: error,
    })
  } finally {
    lost.abort(new MeshError('aborted', 'Another way was faster.'))
    race.clear()
    for (const one of running) one.then((connection) => hangUp(connection, winner)).catch(() => undefined)
  }
}

/** Waits until one of the running ways connects, the last one fails, or the next has waited long enough. */
async function headStart(
  running: readonly Promise<Connection>[],
  [current, next]: readonly [current: string, next: string | undefined],
  clock: Clock,
  signal: AbortSignal,
): Promise<Connection | undefined> {
  if (next === undefined) return undefined
  const over = new AbortController()
  const isLate = waitsForOthers(next) && !waitsForOthers(current)
  const waitMs = isLate ? RELAY_HEAD_START_MS : DIAL_STAGGER_MS
  const head = sleep(clock, waitMs, { signal: AbortSignal.any([signal, over.signal]) })
  const begun = isLate ? Promise.allSettled(running) : Promise.allSettled(running.slice(-1))
  try {
    return await Promise.race([
      Promise.any(running).catch(() => undefined),
      ...[head, begun].map((end) => end.then(nothing, nothing)),
    ])
  } finally {
    over.abort()
  }
}

function nothing(): undefined {
  return undefined
}

/** Two ways may both be up before either hears of it; only one is kept. */
function hangUp(connection: Connection, winner: Connection | undefined): void {
  if (connection !== winner) connection.abort(new MeshError('aborted', 'Another way was faster.'))
}

/** The device may have connected by itself meanwhile. */
function connectionThere(node: PeerNode, ways: readonly string[]): Connection | undefined {
  const id = /\/p2p\/([^/]+)$/.exec(ways[0] ?? '')?.[1]
  return node
    .getConnections()
    .find((one) => one.remotePeer.toString() === id && one.status === 'open' && one.limits === undefined)
}
