import type { IncomingMessage } from 'node:http'
import type { TLSSocket } from 'node:tls'
import { isLoopbackIp } from './loopback.ts'

/** Where a request goes, and where it says it comes from. Header lists keep duplicates. */
export interface CallHead {
  readonly method: string
  /** The request target as it was sent, or its path and query. */
  readonly target: string
  readonly host: readonly string[]
  readonly origin: readonly string[]
  readonly fetchSite: readonly string[]
  readonly fetchMode: readonly string[]
  /** Whether the connection itself came from this machine's loopback interface; no header has a say in it. */
  readonly isLocal: boolean
  /** Whether it came over TLS. */
  readonly isSecure: boolean
}

/** Names under which this port may be addressed, with the port, all lower case. */
export interface GuardRules {
  /** By programs and browsers of this machine. */
  readonly hosts: ReadonlySet<string>
  /** By the local network; empty while it is closed. */
  readonly networkHosts: ReadonlySet<string>
}

/** Who asks: this machine, for whom everything is, or the local network, for which the page is. */
export type Zone = 'here' | 'network'

/** Why a request stays out: status, sentence and code of the answer. */
export interface Refusal {
  readonly status: 400 | 401 | 403 | 415
  readonly message: string
  readonly code: string
}

const LOOPBACK_NAMES = ['127.0.0.1', 'localhost', '[::1]'] as const
/** Ports that a browser leaves out of Host and Origin. */
const DEFAULT_PORTS: ReadonlySet<number> = new Set([80, 443])

/** The names of a port: loopback's own, and those of the local network (`10.0.0.7`, `plexus.local`) while it is open. */
export function guardRules(port: number, networkNames: readonly string[] = []): GuardRules {
  return { hosts: withPort(LOOPBACK_NAMES, port), networkHosts: withPort(networkNames, port) }
}

function withPort(names: readonly string[], port: number): Set<string> {
  const hosts = new Set<string>()
  for (const name of names) {
    hosts.add(`${name.toLowerCase()}:${String(port)}`)
    if (DEFAULT_PORTS.has(port)) hosts.add(name.toLowerCase())
  }
  return hosts
}

/**
 * Whose request it is, by the connection first and the Host second: one that came
 * over the network is never this machine's, whatever it calls itself, and one that
 * calls itself by a name of the network is not either, wherever it came from.
 */
export function zoneOf(head: Pick<CallHead, 'host' | 'isLocal'>, rules: GuardRules): Zone | undefined {
  const [host, ...others] = head.host
  if (host === undefined || others.length > 0) return undefined
  if (head.isLocal && rules.hosts.has(host.toLowerCase())) return 'here'
  return isListed(host.toLowerCase(), rules.networkHosts) ? 'network' : undefined
}

/** In the list, or one label below a name that a certificate of the person's own leaves open (`*.example.org`). */
function isListed(host: string, hosts: ReadonlySet<string>): boolean {
  return hosts.has(host) || hosts.has(host.replace(/^[a-z0-9-]+\./, '*.'))
}

/**
 * Whether a request comes from where it may: addressed to us by an exact name,
 * and not sent by another site's page. Undefined means yes.
 *
 * The Host list defeats DNS rebinding (CVE-2024-28224 and its family), the
 * Origin list and the fetch metadata defeat cross-site requests (CVE-2024-5616).
 */
export function refuseOutsider(head: CallHead, rules: GuardRules): Refusal | undefined {
  // an absolute target would let the URL and the Host header disagree
  if (!head.target.startsWith('/')) return outsider(400, 'The request target must be a path.', 'invalid_target')
  const zone = zoneOf(head, rules)
  if (zone === undefined) {
    return outsider(
      403,
      'This address is not one of this helper’s own. Use http://127.0.0.1 with its port.',
      'host_not_allowed',
    )
  }
  const [origin, ...otherOrigins] = head.origin
  if (origin !== undefined && (otherOrigins.length > 0 || !isOwnOrigin(origin, head, zone, rules))) {
    return outsider(403, 'Pages of other origins may not talk to this helper.', 'origin_not_allowed')
  }
  return refuseCrossSite(head, origin)
}

function isOwnOrigin(origin: string, head: CallHead, zone: Zone, rules: GuardRules): boolean {
  const scheme = head.isSecure ? 'https://' : 'http://'
  const hosts = zone === 'here' ? rules.hosts : rules.networkHosts
  return origin.startsWith(scheme) && isListed(origin.slice(scheme.length), hosts)
}

/** A browser says where a request comes from even where it sends no Origin (a plain GET by an image or script tag). */
function refuseCrossSite(head: CallHead, origin: string | undefined): Refusal | undefined {
  const [site, ...otherSites] = head.fetchSite
  if (site === undefined && otherSites.length === 0) return undefined
  if (otherSites.length === 0 && (site === 'same-origin' || site === 'none')) return undefined
  // a listed origin under another of our three names is "same-site" or "cross-site" to the browser
  if (otherSites.length === 0 && origin !== undefined) return undefined
  const isVisit = head.method === 'GET' && head.fetchMode.length === 1 && head.fetchMode[0] === 'navigate'
  if (isVisit && otherSites.length === 0) return undefined
  return outsider(403, 'Pages of other origins may not talk to this helper.', 'origin_not_allowed')
}

function outsider(status: 400 | 403, message: string, code: string): Refusal {
  return { status, message, code }
}

/** Beyond the names of the port: whose pages may open the WebSocket of the peer. */
export interface PeerCallers {
  /** Names of the local network, without port; none while it is closed. */
  readonly networkNames: readonly string[]
  /** Origins of other copies of the page that the person configured (`https://plexus.example`). */
  readonly pageOrigins: readonly string[]
}

/** Nobody but programs and pages of this port on this machine. */
export const NO_OTHER_CALLERS: PeerCallers = { networkNames: [], pageOrigins: [] }

/**
 * Whether a WebSocket to the peer comes from where it may: addressed to us by an
 * exact name, and from no page (programs send no Origin, browsers always do), from a
 * page of this port, or from a copy of the page that is configured. Undefined means yes.
 *
 * Noise proves a peer, and says nothing of who drives it: without this any web page
 * could learn the lasting id of this device and its addresses, and fill its places.
 */
export function refusePeerCaller(
  head: Pick<CallHead, 'host' | 'origin' | 'isLocal'>,
  port: number,
  { networkNames, pageOrigins }: PeerCallers,
): Refusal | undefined {
  const rules = guardRules(port, networkNames)
  if (zoneOf(head, rules) === undefined) {
    return outsider(403, 'This address is not one of this helper’s own.', 'host_not_allowed')
  }
  const [origin, ...others] = head.origin
  if (origin === undefined) return undefined
  const isListedPage = others.length === 0 && (isOwnPage(origin, rules) || pageOrigins.includes(origin))
  return isListedPage
    ? undefined
    : outsider(403, 'Pages of other origins may not talk to this helper.', 'origin_not_allowed')
}

/**
 * A page that this port serves, by whichever of its names: one page dials all of them.
 * A page of loopback may come from the network too: it is the page of a helper over
 * there, and no website can be at that origin.
 */
function isOwnPage(origin: string, { hosts, networkHosts }: GuardRules): boolean {
  const host = /^https?:\/\/([^/]+)$/.exec(origin)?.[1]
  return host !== undefined && (hosts.has(host) || isListed(host, networkHosts))
}

/** The head of a request over a socket, from the raw headers: Node's own view drops duplicates. */
export function callHeadOf(incoming: IncomingMessage): CallHead {
  const { socket } = incoming
  return {
    method: incoming.method ?? 'GET',
    target: incoming.url ?? '',
    host: rawHeader(incoming, 'host'),
    origin: rawHeader(incoming, 'origin'),
    fetchSite: rawHeader(incoming, 'sec-fetch-site'),
    fetchMode: rawHeader(incoming, 'sec-fetch-mode'),
    isLocal: isLoopbackIp(socket.remoteAddress ?? ''),
    isSecure: (socket as Partial<TLSSocket>).encrypted === true,
  }
}

/** Every value of a header as it was sent; `name` in lower case. */
export function rawHeader({ rawHeaders }: IncomingMessage, name: string): readonly string[] {
  const values: string[] = []
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    if (rawHeaders[index]?.toLowerCase() === name) values.push(rawHeaders[index + 1] ?? '')
  }
  return values
}
