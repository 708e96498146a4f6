import type { DeviceId } from '../base/index.ts'

/** What lies at a host: this very machine, a network that no packet crosses the internet from, the internet. */
export type Place = 'loopback' | 'private' | 'public'

/** Lowest port a told address may name: below it are services of systems, and no helper listens there. */
const LOWEST_PORT = 1_024

const FORM =
  /^\/(?:ip4|ip6)\/([^/]+)\/(?:tcp\/(\d{1,5})(?:\/ws|\/wss|\/tls\/ws)?|udp\/(\d{1,5})\/webrtc-direct(?:\/certhash\/[\w-]{1,100}){0,2})(?:\/p2p\/([^/]+))?$/
/** The transport of libp2p inside one process: no network at all. */
const IN_PROCESS = /^\/memory\/[^/]+(?:\/p2p\/([^/]+))?$/

/**
 * Whether an address that was told may be of this device: numbers and ports, no names that
 * would be looked up, no paths, no relay, no other device in it, no port of a system's
 * service. What devices tell of themselves and of each other must not make anybody ask a
 * name server or a web server of their choice.
 */
export function isPlainAddress(address: string, id: DeviceId): boolean {
  const [, host, tcp, udp, named] = FORM.exec(address) ?? []
  if (host === undefined) {
    const inProcess = IN_PROCESS.exec(address)
    return inProcess !== null && (inProcess[1] ?? id) === id
  }
  const port = Number(tcp ?? udp)
  return port >= LOWEST_PORT && port <= 65_535 && placeOf(host) !== undefined && (named ?? id) === id
}

/** The host in an address; undefined where it names none by number. */
export function hostOf(address: string): string | undefined {
  return /^\/(?:ip4|ip6)\/([^/]+)(?:\/|$)/.exec(address)?.[1]
}

/** Where an address leads; undefined: nowhere a device could be. */
export function placeOfAddress(address: string): Place | undefined {
  if (IN_PROCESS.test(address)) return 'private'
  const host = hostOf(address)
  return host === undefined ? undefined : placeOf(host)
}

/** Where a host is, by its number (RFC 6890, 4193, 4291); undefined: multicast, unspecified, translated or no number. */
export function placeOf(host: string): Place | undefined {
  const four = ip4(host)
  if (four !== undefined) return placeOf4(four)
  const six = ip6(host)
  return six === undefined ? undefined : placeOf6(six)
}

/** Whether two hosts are most likely one: the same number, or of one IPv6 network of a machine that changes its address. */
export function isSameHost(one: string, other: string): boolean {
  if (one === other) return true
  const [a, b] = [ip6(one), ip6(other)]
  return a !== undefined && b !== undefined && a.slice(0, 4).join() === b.slice(0, 4).join()
}

function placeOf4([a, b]: readonly [number, number, ...number[]]): Place | undefined {
  if (a === 127) return 'loopback'
  if (a === 0 || a >= 224) return undefined
  const isPrivate =
    a === 10 ||
    (a === 172 && b >= 16 && b < 32) ||
    (a === 192 && b === 168) ||
    (a === 169 && b === 254) ||
    (a === 100 && b >= 64 && b < 128)
  return isPrivate ? 'private' : 'public'
}

function placeOf6(groups: readonly number[]): Place | undefined {
  const [first = 0] = groups
  if (groups.slice(0, 7).every((group) => group === 0)) return groups[7] === 1 ? 'loopback' : undefined
  if ((first & 0xfe00) === 0xfc00 || (first & 0xffc0) === 0xfe80) return 'private'
  // 6to4 carries any IPv4 address inside, private ones too; mapped and translated forms lie outside 2000::/3
  return (first & 0xe000) === 0x2000 && first !== 0x2002 ? 'public' : undefined
}

function ip4(host: string): [number, number, number, number] | undefined {
  const parts = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(host)?.slice(1).map(Number)
  if (parts === undefined || parts.some((part) => part > 255)) return undefined
  const [a = 0, b = 0, c = 0, d = 0] = parts
  return [a, b, c, d]
}

/** The eight groups of an IPv6 address. */
function ip6(host: string): readonly number[] | undefined {
  if (!/^[0-9a-f:]{2,39}$/i.test(host)) return undefined
  const halves = host.split('::')
  if (halves.length > 2) return undefined
  const [head = [], tail = []] = halves.map((half) => (half === '' ? [] : half.split(':')))
  const lacking = 8 - head.length - tail.length
  if (halves.length === 1 ? lacking !== 0 : lacking < 1) return undefined
  const groups = [...head, ...Array.from({ length: Math.max(0, lacking) }, () => '0'), ...tail]
  if (groups.some((group) => !/^[0-9a-f]{1,4}$/i.test(group))) return undefined
  return groups.map((group) => Number.parseInt(group, 16))
}
