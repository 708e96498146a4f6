import { createHash, timingSafeEqual } from 'node:crypto'

/** The parts of a request that decide whether it may come in. Header lists keep duplicates. */
export interface RequestHead {
  readonly method: string
  /** The request target as it was sent, or its path and query. */
  readonly target: string
  readonly host: readonly string[]
  readonly origin: readonly string[]
  readonly authorization: readonly string[]
  readonly contentType: readonly string[]
  readonly contentEncoding: readonly string[]
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

/** What the network hears of everything that is for this machine only. */
export const HERE_ONLY: Refusal = {
  status: 403,
  message: 'This is for programs on the machine of the helper only.',
  code: 'this_machine_only',
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
export function zoneOf(head: Pick<RequestHead, 'host' | 'isLocal'>, rules: GuardRules): Zone | undefined {
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
export function refuseOutsider(head: RequestHead, rules: GuardRules): Refusal | undefined {
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

function isOwnOrigin(origin: string, head: RequestHead, zone: Zone, rules: GuardRules): boolean {
  const scheme = head.isSecure ? 'https://' : 'http://'
  const hosts = zone === 'here' ? rules.hosts : rules.networkHosts
  return origin.startsWith(scheme) && isListed(origin.slice(scheme.length), hosts)
}

/** A browser says where a request comes from even where it sends no Origin (a plain GET by an image or script tag). */
function refuseCrossSite(head: RequestHead, origin: string | undefined): Refusal | undefined {
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

/** Whether the request brings the token, as `Authorization: Bearer TOKEN` and in no other way. Undefined means yes. */
export function refuseStranger(authorization: readonly string[], isToken: TokenCheck): Refusal | undefined {
  const [value, ...others] = authorization
  if (value === undefined) {
    return stranger(
      'No token. Send the header "Authorization: Bearer TOKEN"; "plexus token" prints it.',
      'missing_api_key',
    )
  }
  const token = others.length === 0 ? /^bearer +(\S+)$/i.exec(value)?.[1] : undefined
  if (token === undefined || !isToken(token)) {
    return stranger('This token is not the one of this helper; "plexus token" prints it.', 'invalid_api_key')
  }
  return undefined
}

function stranger(message: string, code: string): Refusal {
  return { status: 401, message, code }
}

/** Says whether a text is the token. */
export type TokenCheck = (candidate: string) => boolean

/** Compares in constant time: hashes first, so that lengths tell nothing either. */
export function tokenCheck(token: string): TokenCheck {
  const expected = digest(token)
  return (candidate) => timingSafeEqual(digest(candidate), expected)
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text, 'utf8').digest()
}

const JSON_TYPE = /^application\/json(?: *; *charset *= *"?utf-8"?)? *;?$/i

/**
 * Whether the body is declared as plain JSON in UTF-8. Any other type can be sent
 * by a foreign page without asking (text/plain forms), so it is refused unread.
 */
export function refuseBodyType(head: Pick<RequestHead, 'contentType' | 'contentEncoding'>): Refusal | undefined {
  const [type, ...otherTypes] = head.contentType
  if (type === undefined || otherTypes.length > 0 || !JSON_TYPE.test(type.trim())) {
    return {
      status: 415,
      message: 'Send JSON with the header "Content-Type: application/json".',
      code: 'unsupported_media_type',
    }
  }
  const isPlain = head.contentEncoding.every((encoding) => encoding.trim().toLowerCase() === 'identity')
  if (!isPlain) return { status: 415, message: 'Send the body uncompressed.', code: 'unsupported_content_encoding' }
  return undefined
}
